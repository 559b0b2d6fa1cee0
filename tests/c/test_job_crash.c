/*
 * A process that dies before, or after, each of its writes, syncs, renames and
 * the like, from the making of a job to its deletion: what it had been told is
 * there, what it was at is whole or not there, and the job can be gone on with.
 */
#include "test_hook.h"
#include "test_job.h"

#include <sys/mman.h>

#include "queue.h"

/* What the scenario has been told so far, in memory that outlives it. */
enum told {
	TOLD_NOTHING,
	TOLD_CREATED,
	TOLD_CLAIMED,
	TOLD_COMMITTED,
	TOLD_CHARGED,
	TOLD_ADDED,
	TOLD_DONE,
	TOLD_CLOSED,
	TOLD_QUEUE,
	TOLD_PUSHED,
	TOLD_SHIFTED,
	TOLD_MOVED,
	TOLD_TAKEN,
	TOLD_QUEUE_DELETED,
	TOLD_DELETED,
	TOLD_ALL
};

static struct shared {
	enum told told;
	size_t calls; /* how many there were */
} * shared;

static size_t die_at; /* at which half of a call, from 1; 0: never */
static char queue_path[TMPDIR_MAX + 20];

enum { TASKS = 45, MORE = 5 }; /* the first of them large */

static void on_call(const struct called *c, bool after)
{
	(void)c;
	(void)after;
	if (die_at && ++shared->calls == die_at)
		(void)kill(getpid(), SIGKILL);
}

static const unsigned char large[TEST_LARGE] = {42};
static const struct bytes elements[] = {{"one", 3}, {large, sizeof large}};

static void scenario_of_queue(void)
{
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_create(&q, queue_path) == 0);
	shared->told = TOLD_QUEUE;
	CHECK(queue_push(q, QUEUE_INPUT, elements, 2) == 0);
	shared->told = TOLD_PUSHED;
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	shared->told = TOLD_SHIFTED;
	CHECK(queue_move(q, QUEUE_SHELF, out.item[0].task, QUEUE_OUTPUT,
			 elements[1]) == 1);
	shared->told = TOLD_MOVED;
	CHECK(queue_shift(q, QUEUE_OUTPUT, QUEUE_META, &out) == 1);
	shared->told = TOLD_TAKEN;
	job_items_release(&out);
	queue_close(q);
	CHECK(queue_delete(queue_path) == 0);
	shared->told = TOLD_QUEUE_DELETED;
}

static void scenario(void)
{
	struct job *j = test_create("crash", TASKS);
	shared->told = TOLD_CREATED;
	CHECK(job_commit(j, NULL, 0, 41) == 0);
	shared->told = TOLD_CLAIMED;
	CHECK(test_commit(j, 1) == 0);
	shared->told = TOLD_COMMITTED;
	CHECK(job_charge(j, 42, 3, elements[0]) == 0);
	shared->told = TOLD_CHARGED;
	test_add(j, MORE);
	shared->told = TOLD_ADDED;
	test_work(j, 3);
	test_work(j, 3);
	shared->told = TOLD_DONE;
	CHECK(job_commit(j, NULL, 0, 5) == 0);
	CHECK(job_close(j) == 0);
	shared->told = TOLD_CLOSED;
	scenario_of_queue();
	CHECK(job_delete(store, "crash") == 0);
	shared->told = TOLD_DELETED;
	shared->told = TOLD_ALL;
}

/* -- afterwards -- */

static uint64_t over(const struct job_head *h)
{
	return h->count[TASK_COMPLETED] + h->count[TASK_FAILED] +
	       h->count[TASK_LOST];
}

static void look_at_job(enum told told)
{
	struct job *j = NULL;
	struct job_head h;
	int rc = job_open(&j, store, "crash");
	if (rc == -ENOENT) {
		CHECK(told < TOLD_CREATED || told >= TOLD_QUEUE_DELETED);
		job_forget(j);
		return;
	}
	CHECK(rc == 0 && told < TOLD_DELETED);
	CHECK(job_status(j, &h) == 0);
	CHECK(h.tasks == TASKS || h.tasks == TASKS + MORE);
	CHECK(told < TOLD_ADDED || h.tasks == TASKS + MORE);
	CHECK(told > TOLD_CHARGED || h.tasks == TASKS || told == TOLD_CHARGED);
	/* All of a commit, or nothing. */
	CHECK(over(&h) == 0 || over(&h) >= 41);
	CHECK(told < TOLD_COMMITTED || over(&h) >= 41);
	CHECK(told < TOLD_DONE || over(&h) == h.tasks);
	CHECK(h.count[TASK_RUNNING] <= 41);
	if (told < TOLD_CLOSED && h.count[TASK_RUNNING] > 0)
		CHECK(job_requeue(j) == (int)h.count[TASK_RUNNING]);
	if (told == TOLD_CHARGED) {
		CHECK(job_commit(j, NULL, 0, 1) == 0);
		CHECK(j->claimed.item[0].task == 42);
		CHECK(j->claimed.item[0].tries == 1);
		CHECK(test_commit(j, 0) == 0);
	}
	if (h.tasks == TASKS)
		test_add(j, MORE);
	test_work(j, 4);
	test_all_done(j, TASKS + MORE);
	CHECK(job_close(j) == 0);
	CHECK(job_delete(store, "crash") == 0);
}

static uint64_t count_of(struct queue *q, enum queue_table table)
{
	uint64_t n;
	CHECK(queue_count(q, table, &n) == 0);
	return n;
}

static bool is_element(const struct job_items *all, size_t i)
{
	const struct bytes *e = &elements[all->item[i].n == 3 ? 0 : 1];
	return all->item[i].n == e->n &&
	       memcmp(all->bytes.bytes + all->item[i].at, e->at, e->n) == 0;
}

static void look_at_queue(enum told told)
{
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	int rc = queue_open(&q, queue_path);
	if (rc == -ENOENT) {
		CHECK(told < TOLD_QUEUE || told >= TOLD_TAKEN);
		return;
	}
	CHECK(rc == 0 && told < TOLD_QUEUE_DELETED);
	uint64_t all = 0;
	for (enum queue_table t = QUEUE_INPUT; t < QUEUE_TABLES; t++) {
		CHECK(queue_list(q, t, &out) >= 0);
		CHECK(out.n == count_of(q, t));
		for (size_t i = 0; i < out.n; i++)
			CHECK(is_element(&out, i));
		all += out.n;
	}
	CHECK(told < TOLD_PUSHED || all == 2 ||
	      (told >= TOLD_MOVED && all == 1));
	CHECK(told < TOLD_SHIFTED || count_of(q, QUEUE_INPUT) == 0);
	CHECK(told < TOLD_MOVED || count_of(q, QUEUE_SHELF) == 1);
	CHECK(told < TOLD_TAKEN || count_of(q, QUEUE_OUTPUT) == 0);
	CHECK(queue_move_all(q, QUEUE_SHELF, QUEUE_INPUT) >= 0);
	while (queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 1)
		CHECK(is_element(&out, 0));
	CHECK(count_of(q, QUEUE_INPUT) == 0);
	queue_close(q);
	job_items_release(&out);
	CHECK(queue_delete(queue_path) == 0);
}

/* What is left is a process's that nobody waits for: at the next making. */
static void look_at_store(void)
{
	struct dirent *e;
	DIR *d = opendir(store);
	CHECK(d);
	while ((e = readdir(d)))
		CHECK(e->d_name[0] == '.');
	CHECK(closedir(d) == 0);
}

int main(void)
{
	size_t points = 0;
	int status = 0;
	test_store_in_memory();
	(void)snprintf(queue_path, sizeof queue_path, "%s/queue", store);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	do {
		*shared = (struct shared){.told = TOLD_NOTHING};
		points++;
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			die_at = points;
			scenario();
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					  : WEXITSTATUS(status) == 0);
		look_at_job(shared->told);
		look_at_queue(shared->told);
		look_at_store();
	} while (WIFSIGNALED(status));
	CHECK(shared->told == TOLD_ALL);
	CHECK(points > 100);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
