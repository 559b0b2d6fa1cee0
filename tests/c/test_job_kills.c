/*
 * Two thousand kills of claimants, at any moment. At the end each task has its
 * one right result. A task was begun again only where its claimant was killed,
 * and that had not committed it yet.
 */
#include "test_job_log.h"

enum {
	KILLS = 2000,
	CLAIMANTS = 4,
	BATCH = 8,
	TASKS = 300, /* at first; and so many more whenever few are left */
	FEW = 100,
	MOST = KILLS * 10, /* processes */
};

struct claimant {
	pid_t pid;
	uint64_t who;
	double until; /* when it is killed */
};

static uint64_t last_who;
static unsigned char *killed; /* by who */

static void start(struct claimant *c, int fd)
{
	c->who = ++last_who;
	CHECK(last_who < MOST);
	c->until = test_now() + (double)test_below(6000) * 1e-6;
	c->pid = fork();
	CHECK(c->pid >= 0);
	if (c->pid > 0)
		return;
	test_seed += c->who * UINT64_C(0x9e3779b97f4a7c15);
	struct job *j = test_open("kills");
	log_work(j, BATCH, fd, c->who);
	CHECK(job_close(j) == 0);
	_exit(0);
}

/* One that had come to its end was not killed. */
static bool finish(struct claimant *c)
{
	int status;
	CHECK(kill(c->pid, SIGKILL) == 0);
	CHECK(waitpid(c->pid, &status, 0) == c->pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		killed[c->who] = 1;
		return true;
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

static void have_tasks(struct job *j)
{
	struct job_head h;
	CHECK(job_status(j, &h) == 0);
	if (h.count[TASK_QUEUED] < FEW)
		test_add(j, TASKS);
}

static void kill_all(struct job *j, int fd)
{
	struct claimant all[CLAIMANTS];
	for (int i = 0; i < CLAIMANTS; i++)
		start(&all[i], fd);
	for (int kills = 0; kills < KILLS;) {
		struct claimant *next = &all[0];
		for (int i = 1; i < CLAIMANTS; i++)
			next = all[i].until < next->until ? &all[i] : next;
		double wait = next->until - test_now();
		if (wait > 0)
			test_sleep(wait);
		kills += finish(next);
		have_tasks(j);
		start(next, fd);
	}
	for (int i = 0; i < CLAIMANTS; i++)
		test_wait_ok(all[i].pid);
}

/* The last one to begin a task finished it; each other one was killed, in the
 * batch that it was at then. */
static void look(const struct log_line *line, size_t n, uint64_t tasks)
{
	uint64_t *by = calloc(tasks + 1, sizeof(*by));
	size_t *committed = calloc(last_who + 1, sizeof(*committed));
	size_t *begun = calloc(tasks + 1, sizeof(*begun)), again = 0;
	CHECK(by && committed && begun);
	for (size_t i = 0; i < n; i++)
		if (line[i].what == LOG_COMMITTED)
			committed[line[i].who] = i;
	for (size_t i = 0; i < n; i++) {
		if (line[i].what != LOG_BEGUN)
			continue;
		uint64_t task = line[i].task;
		CHECK(task >= 1 && task <= tasks);
		if (by[task]) {
			again++;
			CHECK(killed[by[task]]);
			CHECK(begun[task] >= committed[by[task]]);
		}
		by[task] = line[i].who;
		begun[task] = i;
	}
	for (uint64_t task = 1; task <= tasks; task++)
		CHECK(by[task]);
	CHECK(again > KILLS / 20); /* else they came at no such moment */
	free(by);
	free(begun);
	free(committed);
}

int main(void)
{
	struct job_head h;
	struct job_items left = {.n = 0};
	size_t n;
	test_store();
	int fd = log_open();
	killed = calloc(MOST, 1);
	CHECK(killed);
	struct job *j = test_create("kills", TASKS);
	kill_all(j, fd);
	log_work(j, BATCH, fd, 0);
	CHECK(job_abandoned(j, &left) == 0 && left.n == 0);
	CHECK(job_requeue(j) == 0);
	CHECK(job_status(j, &h) == 0);
	test_all_done(j, h.tasks);
	struct log_line *line = log_read(fd, &n);
	look(line, n, h.tasks);
	free(line);
	free(killed);
	job_items_release(&left);
	CHECK(close(fd) == 0);
	CHECK(job_close(j) == 0);
	/* Whole also for who opens it anew. */
	j = test_open("kills");
	test_all_done(j, h.tasks);
	CHECK(job_close(j) == 0);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
