/*
 * The loop: makes an input, runs it, over and over, in a child that a finding
 * may end in any way; the input that it was at is in memory that is shared.
 *
 *   fuzz run INPUTS SEED DIRECTORY [TARGET]
 *   fuzz replay FILE        what a run has left in that directory
 *   fuzz again SEED TARGET NUMBER
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	BATCH = 1024,
	IN_TIME = 20, /* seconds for a batch: more is a hang */
	FINDINGS = 5, /* of a target, and it is left */
	FOUND = 3,    /* exit status */
	WIDTH = 32,   /* bytes in a line of hex */
};

static const struct target *const targets[] = {&target_chan,   &target_pool,
					       &target_memory, &target_template,
					       &target_list,   &target_record};
enum { TARGETS = sizeof(targets) / sizeof(*targets) };

/* Shared with the child. */
static struct at {
	uint64_t number;
	char why[200];
	struct input in;
	unsigned char bytes[INPUT_MOST];
} * at;

static bool alone; /* no loop */

/* The world has its own, for the code under test. */
pid_t __real_fork(void);
pid_t __real_waitpid(pid_t pid, int *status, int options);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t from);

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* What leaks is known after each input. Freed memory is kept for a while, but
 * not so long that all of it is cold. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:quarantine_size_mb=2:max_malloc_fill_size=256:"
	       "malloc_fill_byte=165:allocator_may_return_null=0";
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

_Noreturn void finding(const char *file, int line, const char *what)
{
	(void)snprintf(at->why, sizeof(at->why), "%s:%d: %s", file, line, what);
	if (alone)
		(void)fprintf(stderr, "%s\n", at->why);
	_exit(FOUND);
}

static double now(void)
{
	struct timespec t;
	(void)__real_clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void make(const struct target *t, uint64_t seed, uint64_t number)
{
	struct rng r = rng_of(seed + number * UINT64_C(0x2545f4914f6cdd1d));
	at->number = number;
	at->in = (struct input){.bytes = at->bytes};
	t->make(&at->in, &r);
}

static void run_all(const struct target *t, uint64_t seed, uint64_t from,
		    uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		if (i % BATCH == 0 || i == from)
			(void)alarm(IN_TIME);
		make(t, seed, i);
		t->run(at->bytes, at->in.n);
	}
}

/* Runs in a child: was there a finding? */
static bool run_apart(const struct target *t, uint64_t seed, uint64_t from,
		      uint64_t to)
{
	int status;
	at->why[0] = '\0';
	(void)fflush(NULL);
	pid_t pid = __real_fork();
	if (pid == 0) {
		run_all(t, seed, from, to);
		_exit(0);
	}
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	while (__real_waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (at->why[0])
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		(void)snprintf(at->why, sizeof(at->why), "a hang");
	else if (WIFSIGNALED(status))
		(void)snprintf(at->why, sizeof(at->why), "signal %d",
			       WTERMSIG(status));
	else
		(void)snprintf(at->why, sizeof(at->why),
			       "the report of a sanitizer, above");
	return true;
}

static void write_finding(const struct target *t, uint64_t seed,
			  const char *directory)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s-%" PRIu64 ".txt", directory,
		       t->name, at->number);
	printf("FINDING %s, seed %" PRIu64 ", input %" PRIu64 ": %s\n"
	       "  %zu bytes, in %s\n",
	       t->name, seed, at->number, at->why, at->in.n, path);
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		return;
	}
	(void)fprintf(f, "target %s\nseed %" PRIu64 "\ninput %" PRIu64 "\n",
		      t->name, seed, at->number);
	(void)fprintf(f, "why %s\nbytes %zu\n", at->why, at->in.n);
	for (size_t i = 0; i < at->in.n; i++)
		(void)fprintf(f, "%02x%s", at->bytes[i],
			      i % WIDTH == WIDTH - 1 ? "\n" : "");
	(void)fprintf(f, "\n");
	(void)fclose(f);
}

static uint64_t run_target(const struct target *t, uint64_t seed, uint64_t n,
			   const char *directory)
{
	double begin = now();
	uint64_t from = 0, found = 0;
	while (from < n && found < FINDINGS && run_apart(t, seed, from, n)) {
		found++;
		write_finding(t, seed, directory);
		from = at->number + 1;
	}
	if (found < FINDINGS)
		from = n;
	double took = now() - begin;
	printf("%-9s %9" PRIu64 " inputs, %7.0f a second\n", t->name, from,
	       (double)from / (took > 0 ? took : 1));
	return found;
}

static int run(uint64_t inputs, uint64_t seed, const char *directory,
	       const char *only)
{
	uint64_t found = 0, all = 0;
	printf("seed %" PRIu64 "\n", seed);
	for (size_t i = 0; i < TARGETS; i++) {
		if (only && strcmp(only, targets[i]->name) != 0)
			continue;
		uint64_t n = only ? inputs : inputs * targets[i]->share / 100;
		found += run_target(targets[i], seed, n, directory);
		all += n;
	}
	printf("%" PRIu64 " inputs, %" PRIu64 " findings\n", all, found);
	return found > 0 || all == 0;
}

static const struct target *target_of(const char *name)
{
	for (size_t i = 0; i < TARGETS; i++)
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	(void)fprintf(stderr, "no such target: %s\n", name);
	exit(2);
}

/* One input, in this process: a debugger can be had. */
static int run_one(const struct target *t)
{
	alone = true;
	(void)alarm(IN_TIME);
	t->run(at->bytes, at->in.n);
	printf("1 inputs, 0 findings\n");
	return 0;
}

static int replay(const char *path)
{
	char name[32] = "";
	size_t n = 0;
	FILE *f = fopen(path, "r");
	if (!f ||
	    fscanf(f, "target %31s seed %*u input %*u why %*[^\n]", name) !=
		    1 ||
	    fscanf(f, " bytes %zu", &n) != 1 || n > INPUT_MOST) {
		(void)fprintf(stderr, "%s: not what a run writes\n", path);
		return 2;
	}
	at->in = (struct input){.bytes = at->bytes, .n = n};
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		if (fscanf(f, "%2x", &byte) != 1)
			return 2;
		at->bytes[i] = (unsigned char)byte;
	}
	(void)fclose(f);
	return run_one(target_of(name));
}

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

int main(int argc, char **argv)
{
	at = __real_mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return 2;
	if (argc >= 5 && strcmp(argv[1], "run") == 0)
		return run(number(argv[2]), number(argv[3]), argv[4],
			   argc > 5 ? argv[5] : NULL);
	if (argc == 3 && strcmp(argv[1], "replay") == 0)
		return replay(argv[2]);
	if (argc == 5 && strcmp(argv[1], "again") == 0) {
		make(target_of(argv[3]), number(argv[2]), number(argv[4]));
		return run_one(target_of(argv[3]));
	}
	(void)fprintf(stderr, "fuzz run INPUTS SEED DIRECTORY [TARGET]\n"
			      "fuzz replay FILE\n"
			      "fuzz again SEED TARGET NUMBER\n");
	return 2;
}
