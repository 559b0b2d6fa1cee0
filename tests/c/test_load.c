/* Whether busy workers keep the cores busy: children that spin, and children
 * that sleep, in the place of workers. */
#include "load.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "test.h"

enum { MS = 1000000, TURNS = 50 };

static struct worker workers[2];
static struct pool pool = {.workers = workers, .n = 2, .cores = 1};

static void nap(long ms)
{
	struct timespec t = {.tv_nsec = ms * MS};
	CHECK(nanosleep(&t, NULL) == 0);
}

static pid_t child(bool spins)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	CHECK(proc_die_with(pool.owner) == 0);
	for (;;)
		if (!spins)
			(void)pause();
}

static void set_worker(bool spins)
{
	workers[0].pid = child(spins);
	workers[0].state = WORKER_BUSY;
}

static void end_worker(void)
{
	CHECK(kill(workers[0].pid, SIGKILL) == 0);
	CHECK(waitpid(workers[0].pid, NULL, 0) == workers[0].pid);
	workers[0] = (struct worker){.state = WORKER_IDLE};
}

static void test_fewer_than_cores(void)
{
	struct load l;
	load_begin(&l);
	CHECK(!load_is_full(&l, &pool));
}

static void test_sleepers(void)
{
	struct load l;
	set_worker(false);
	load_begin(&l);
	CHECK(load_is_full(&l, &pool)); /* nobody can know yet */
	nap(5);
	CHECK(!load_is_full(&l, &pool));
	CHECK(!load_is_full(&l, &pool)); /* for good */
	end_worker();
}

/* A machine may have something else to do for a while: many turns. */
static void test_spinners(void)
{
	int full = 0;
	set_worker(true);
	nap(20); /* until it runs */
	for (int turn = 0; turn < TURNS && full == 0; turn++) {
		struct load l;
		load_begin(&l);
		CHECK(load_is_full(&l, &pool));
		nap(5);
		full += load_is_full(&l, &pool);
	}
	CHECK(full > 0);
	end_worker();
}

/* They may be waiting for one another. */
static void test_the_longest(void)
{
	struct load l;
	set_worker(true);
	load_begin(&l);
	CHECK(load_is_full(&l, &pool));
	l.began -= (uint64_t)2000 * MS; /* two seconds ago */
	l.looked -= (uint64_t)1000 * MS;
	nap(5);
	CHECK(!load_is_full(&l, &pool));
	end_worker();
}

static void test_used(void)
{
	uint64_t before, after;
	CHECK(proc_used(getpid(), &before) == 0);
	for (volatile long i = 0; i < 10000000; i++)
		;
	CHECK(proc_used(getpid(), &after) == 0);
	CHECK(after > before);
	set_worker(false);
	pid_t gone = workers[0].pid;
	end_worker();
	CHECK(proc_used(gone, &after) < 0);
}

int main(void)
{
	pool.owner = proc_self();
	test_fewer_than_cores();
	test_sleepers();
	test_spinners();
	test_the_longest();
	test_used();
	return 0;
}
