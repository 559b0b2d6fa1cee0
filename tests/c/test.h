/* What the tests of the core share: a check, random numbers, waiting. */
#ifndef POOL_TEST_H
#define POOL_TEST_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A failure ends the process at once, also a forked child. */
#define CHECK(what) ((what) ? (void)0 : test_failed(__FILE__, __LINE__, #what))

static inline _Noreturn void test_failed(const char *file, int line,
					 const char *what)
{
	(void)fprintf(stderr, "%s:%d: %s (errno: %s)\n", file, line, what,
		      strerror(errno));
	(void)fflush(NULL);
	_exit(1);
}

/* The same numbers in every run (xorshift64). */
static uint64_t test_seed = UINT64_C(0x9e3779b97f4a7c15);

static inline uint64_t test_random(void)
{
	test_seed ^= test_seed << 13;
	test_seed ^= test_seed >> 7;
	test_seed ^= test_seed << 17;
	return test_seed;
}

/* 0 to n - 1 */
static inline size_t test_below(size_t n)
{
	return (size_t)(test_random() % n);
}

static inline double test_now(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void test_sleep(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Open descriptors of a process; of this one: those of the look aside. */
static inline int test_descriptors(pid_t pid)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	DIR *d = opendir(path);
	CHECK(d);
	int n = 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return pid == getpid() ? n - 1 : n;
}

static inline void test_on_alarm(int signal)
{
	(void)signal;
}

/* One SIGALRM in so many milliseconds, which interrupts what waits. */
static inline void test_alarm(int ms)
{
	struct sigaction a = {.sa_handler = test_on_alarm,
			      .sa_flags = SA_RESTART};
	struct itimerval timer = {.it_value = {0, ms * 1000}};
	CHECK(sigaction(SIGALRM, &a, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* A child that ran to its end without a failed check. */
static inline void test_wait_ok(pid_t pid)
{
	int status;
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK(got == pid);
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0);
}

#endif
