/*
 * What the machine itself takes for what a pool is made of: a message there and
 * back between two processes, and a copy of 100 MB into shared memory; and for
 * what a job is made of: a page that is on the disk, in the directory of
 * temporary files. The
 * benchmarks in R run this program in each of their rounds, so that a ratio
 * compares figures of the same minute.
 *
 *   limits [sockets | spinning | copies | syncs]      (without one: all)
 *
 * Prints lines of a name, a median, and its unit. Linux only: memfd_create(),
 * sched_setaffinity().
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ROUNDS = 3,
	TRIPS = 2000, /* of a round */
	COPIED = 100 * 1000 * 1000,
	PAGE = 4096,
	SYNCS = 100, /* of a round */
};

/* What the two sides of the spinning ping-pong share, a cache line each. */
struct court {
	_Alignas(64) atomic_uint ping;
	_Alignas(64) atomic_uint pong;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		die("clock_gettime");
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

/* ---- Two processes on two cores ----------------------------------------- */

/* The first two cores that this process may use; the same twice if only one. */
static void two_cores(int cores[2])
{
	cpu_set_t allowed;
	int found = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		die("sched_getaffinity");
	for (int core = 0; core < CPU_SETSIZE && found < 2; core++)
		if (CPU_ISSET((size_t)core, &allowed))
			cores[found++] = core;
	if (found == 0)
		die("no core");
	if (found == 1)
		cores[1] = cores[0];
}

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

/* A child on a core of its own, that does not outlive this process. */
static pid_t fork_onto(int core)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			die("prctl");
		if (getppid() != parent)
			_exit(1);
		pin(core);
	}
	return child;
}

static void await(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status != 0) {
		fputs("the other process failed\n", stderr);
		exit(1);
	}
}

static void must_write(int fd)
{
	if (write(fd, "", 1) != 1)
		die("write");
}

/* False at the end of the file. */
static bool must_read(int fd)
{
	char byte;
	ssize_t n = read(fd, &byte, 1);

	if (n < 0)
		die("read");
	return n == 1;
}

/* Seconds a trip, of each round; the first round is not counted. */
static void time_trips(double *rounds, void (*trip)(void *), void *with)
{
	for (int round = -1; round < ROUNDS; round++) {
		double begin = now();

		for (int i = 0; i < TRIPS; i++)
			trip(with);
		if (round >= 0)
			rounds[round] = (now() - begin) / TRIPS;
	}
}

static void socket_trip(void *with)
{
	const int *fd = with;

	must_write(*fd);
	if (!must_read(*fd))
		die("the other process is gone");
}

static void sockets(const int cores[2])
{
	double rounds[ROUNDS];
	int ends[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	child = fork_onto(cores[1]);
	if (child == 0) {
		close(ends[0]);
		while (must_read(ends[1]))
			must_write(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	time_trips(rounds, socket_trip, &ends[0]);
	close(ends[0]);
	await(child);
	printf("sockets %.3f us\n", 1e6 * median(rounds));
}

static unsigned int spin_until_not(atomic_uint *word, unsigned int old)
{
	unsigned int seen;

	do
		seen = atomic_load_explicit(word, memory_order_acquire);
	while (seen == old);
	return seen;
}

static void spinning_trip(void *with)
{
	struct court *court = with;
	unsigned int turn = atomic_load(&court->ping);

	atomic_store_explicit(&court->ping, turn + 1, memory_order_release);
	(void)spin_until_not(&court->pong, turn);
}

static void spinning(const int cores[2])
{
	double rounds[ROUNDS];
	struct court *court;
	pid_t child;

	if (cores[0] == cores[1])
		return; /* each would wait for the end of the other's slice */
	court = mmap(NULL, sizeof(*court), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (court == MAP_FAILED)
		die("mmap");
	child = fork_onto(cores[1]);
	if (child == 0) {
		unsigned int turn = 0;

		/* The number that no trip has ends it. */
		while ((turn = spin_until_not(&court->ping, turn)) != ~0U)
			atomic_store_explicit(&court->pong, turn,
					      memory_order_release);
		_exit(0);
	}
	time_trips(rounds, spinning_trip, court);
	atomic_store(&court->ping, ~0U);
	await(child);
	(void)munmap(court, sizeof(*court));
	printf("spinning %.3f us\n", 1e6 * median(rounds));
}

/* ---- Copies into shared memory ------------------------------------------ */

static void *map(int fd)
{
	void *at =
		mmap(NULL, COPIED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static double copy(void *to, const void *from)
{
	double begin = now();

	memcpy(to, from, COPIED);
	return now() - begin;
}

/*
 * Into a memfd's pages that nobody has touched (the kernel finds and clears
 * them during the copy), into pages that are there but mapped anew, and into
 * pages that are mapped already.
 */
static void copies(void)
{
	double fresh[ROUNDS];
	double recycled[ROUNDS];
	double warm[ROUNDS];
	void *from = malloc(COPIED);

	if (from == NULL)
		die("malloc");
	memset(from, 1, COPIED);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = memfd_create("limits", MFD_CLOEXEC);
		void *to;

		if (fd < 0 || ftruncate(fd, COPIED) < 0)
			die("memfd_create");
		to = map(fd);
		fresh[round] = copy(to, from);
		(void)munmap(to, COPIED);
		to = map(fd);
		recycled[round] = copy(to, from);
		warm[round] = copy(to, from);
		(void)munmap(to, COPIED);
		close(fd);
	}
	free(from);
	printf("fresh %.3f ms\n", 1e3 * median(fresh));
	printf("recycled %.3f ms\n", 1e3 * median(recycled));
	printf("warm %.3f ms\n", 1e3 * median(warm));
}

/* ---- Pages on a disk ------------------------------------------------------ */

static void sync_trip(void *with)
{
	static const char page[PAGE];
	const int *fd = with;

	if (pwrite(*fd, page, sizeof(page), 0) != (ssize_t)sizeof(page) ||
	    fdatasync(*fd) < 0)
		die("fdatasync");
}

static void syncs(void)
{
	const char *dir = getenv("TMPDIR");
	double rounds[ROUNDS];
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/limits-XXXXXX",
		       dir ? dir : "/tmp");
	fd = mkstemp(path);
	if (fd < 0)
		die(path);
	(void)unlink(path);
	for (int round = -1; round < ROUNDS; round++) {
		double begin = now();

		for (int i = 0; i < SYNCS; i++)
			sync_trip(&fd);
		if (round >= 0)
			rounds[round] = (now() - begin) / SYNCS;
	}
	close(fd);
	printf("syncs %.3f us\n", 1e6 * median(rounds));
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	int cores[2];

	two_cores(cores);
	pin(cores[0]);
	/* What is buffered now would be the child's too. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (only == NULL || strcmp(only, "sockets") == 0)
		sockets(cores);
	if (only == NULL || strcmp(only, "spinning") == 0)
		spinning(cores);
	if (only == NULL || strcmp(only, "copies") == 0)
		copies();
	if (only == NULL || strcmp(only, "syncs") == 0)
		syncs();
	if (cores[0] == cores[1])
		printf("one_core 1 core\n");
	return 0;
}
