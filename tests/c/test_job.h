/*
 * What the tests of jobs share: a store, jobs whose tasks and results are known
 * by their numbers, and a look whether they are what they have to be.
 */
#ifndef POOL_TEST_JOB_H
#define POOL_TEST_JOB_H

#include "job_look.h"
#include "job_work.h"
#include "test.h"
#include "tmpdir.h"

enum { TEST_LARGE = LARGE_LEAST + 5000, TEST_MANIFEST = 3000 };

static char store[TMPDIR_MAX];

static inline void test_store(void)
{
	CHECK(tmpdir_make("/tmp", store) == 0);
}

/* Where no sync is waited for, if there is such a place: what was written is
 * there after a kill, synced or not. */
static inline void test_store_in_memory(void)
{
	bool memory = access("/dev/shm", W_OK | X_OK) == 0;
	CHECK(tmpdir_make(memory ? "/dev/shm" : "/tmp", store) == 0);
}

/* The value of a task, or of its result: of 0 to some hundred bytes, in pages
 * of their own, or in a file. */
static inline size_t test_size(uint64_t task, bool result)
{
	uint64_t kind = (task * 7 + result) % 40;
	return kind == 0 ? TEST_LARGE : kind < 3 ? 3000 : (task * 31) % 300;
}

static inline unsigned char test_byte(uint64_t task, bool result, size_t i)
{
	return (unsigned char)(task * 131 + i * 7 + (i >> 8) + result);
}

/* To be freed. */
static inline struct bytes test_value(uint64_t task, bool result)
{
	size_t n = test_size(task, result);
	unsigned char *p = malloc(n + 1);
	CHECK(p);
	for (size_t i = 0; i < n; i++)
		p[i] = test_byte(task, result, i);
	return (struct bytes){p, n};
}

static inline void test_free(struct bytes *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		union {
			const void *at;
			void *memory;
		} u = {.at = values[i].at};
		free(u.memory);
	}
	free(values);
}

static inline struct bytes *test_values(uint64_t from, size_t n)
{
	struct bytes *all = calloc(n + 1, sizeof(*all));
	CHECK(all);
	for (size_t i = 0; i < n; i++)
		all[i] = test_value(from + i, false);
	return all;
}

static inline struct job *test_create(const char *id, size_t n)
{
	static const unsigned char manifest[TEST_MANIFEST] = {1, 2, 3};
	struct job *j = NULL;
	struct bytes *tasks = test_values(1, n);
	struct bytes m = {manifest, sizeof manifest};
	CHECK(job_create(&j, store, id, m, tasks, n) == 0);
	test_free(tasks, n);
	return j;
}

static inline struct job *test_open(const char *id)
{
	struct job *j = NULL;
	CHECK(job_open(&j, store, id) == 0);
	return j;
}

static inline void test_add(struct job *j, size_t n)
{
	struct job_head h;
	uint64_t first;
	CHECK(job_status(j, &h) == 0);
	struct bytes *tasks = test_values(h.tasks + 1, n);
	CHECK(job_add(j, tasks, n, &first) == 0);
	CHECK(first == h.tasks + 1);
	test_free(tasks, n);
}

/* Is the value of an item that of the task, or of its result? */
static inline bool test_is(const struct job *j, const struct job_items *all,
			   size_t i, bool result)
{
	const struct job_item *item = &all->item[i];
	bool same = item->n == test_size(item->task, result);
	unsigned char *p = malloc(item->n + 1);
	CHECK(p);
	int rc = job_items_value(all, i, job_directory(j), p);
	same = same && rc == 0;
	for (size_t k = 0; same && k < item->n; k++)
		same = p[k] == test_byte(item->task, result, k);
	free(p);
	return same;
}

/* Results of what was claimed last, and at most `most` new claims. */
static inline int test_commit(struct job *j, size_t most)
{
	size_t n = j->claimed.n;
	struct job_done *done = calloc(n + 1, sizeof(*done));
	CHECK(done);
	for (size_t i = 0; i < n; i++) {
		uint64_t task = j->claimed.item[i].task;
		CHECK(test_is(j, &j->claimed, i, false));
		done[i] = (struct job_done){.task = task,
					    .status = task % 5 ? TASK_COMPLETED
							       : TASK_FAILED,
					    .seconds = (double)task / 2,
					    .value = test_value(task, true)};
	}
	int rc = job_commit(j, done, n, most);
	for (size_t i = 0; i < n; i++) {
		struct bytes *one = malloc(sizeof(*one));
		CHECK(one);
		*one = done[i].value;
		test_free(one, 1);
	}
	free(done);
	return rc;
}

/* Has each task its one right result, and nothing else? */
static inline void test_all_done(struct job *j, uint64_t n)
{
	struct job_head h;
	struct job_items all = {.n = 0};
	CHECK(job_status(j, &h) == 0);
	CHECK(h.tasks == n);
	CHECK(h.count[TASK_QUEUED] == 0 && h.count[TASK_RUNNING] == 0);
	for (uint64_t from = 1; from <= n; from += 100) {
		CHECK(job_results(j, from, 100, &all) == 0);
		CHECK(all.n == (n - from + 1 < 100 ? n - from + 1 : 100));
		for (size_t i = 0; i < all.n; i++) {
			const struct job_item *item = &all.item[i];
			CHECK(item->task == from + i);
			CHECK(item->status ==
			      (item->task % 5 ? TASK_COMPLETED : TASK_FAILED));
			CHECK(item->seconds == (double)item->task / 2);
			CHECK(test_is(j, &all, i, true));
		}
	}
	CHECK(h.count[TASK_FAILED] == n / 5);
	CHECK(h.count[TASK_COMPLETED] == n - n / 5);
	job_items_release(&all);
}

/* Works on a job until nothing can be claimed. */
static inline void test_work(struct job *j, size_t batch)
{
	CHECK(job_commit(j, NULL, 0, batch) == 0);
	while (j->claimed.n > 0)
		CHECK(test_commit(j, batch) == 0);
}

#endif
