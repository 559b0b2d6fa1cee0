/* What can be made anew from the results. */
#include "job_mend.h"

#include <errno.h>
#include <limits.h>

static const enum job_table hints[] = {JOB_QUEUE, JOB_CLAIM, JOB_TRIES,
				       JOB_CLAIMANT};
enum { HINTS = sizeof hints / sizeof *hints };

bool job_can_mend(const struct job_damage *damage)
{
	for (int i = 0; i < HINTS; i++)
		if (damage->known && damage->table == hints[i])
			return true;
	return false;
}

static int empty(const struct job_txn *t)
{
	int rc = 0;
	for (int i = 0; i < HINTS && rc == 0; i++)
		rc = lmdb_errno(
			mdb_drop(t->txn, lmdb_env_table(t->env, hints[i]), 0));
	return rc;
}

/* Counts the results, and queues what is between them. */
static int fill(struct job_txn *t, MDB_cursor *c)
{
	struct job_head *h = &t->head;
	uint64_t task = 1;
	for (;; task++) {
		struct job_result r;
		uint64_t first = task;
		int rc = job_result_next(t, c, &task, &r);
		bool end = rc == -ENOENT;
		if (end)
			task = h->tasks + 1;
		else if (rc == 0 && task > h->tasks)
			rc = job_noted(t, -EBADMSG, JOB_RESULT, task);
		else if (rc == 0)
			h->count[r.status]++;
		if (rc < 0 && !end)
			return rc;
		rc = first < task ? job_queue_add(t, first, task - 1) : 0;
		h->count[TASK_QUEUED] += task - first;
		if (rc < 0 || end)
			return rc;
	}
}

int job_mend(struct job_txn *t)
{
	MDB_cursor *c;
	int rc = empty(t);
	for (int i = 0; i < TASK_STATES; i++)
		t->head.count[i] = 0;
	t->head.tried = 0;
	t->changed = true;
	if (rc == 0)
		rc = lmdb_errno(mdb_cursor_open(
			t->txn, lmdb_env_table(t->env, JOB_RESULT), &c));
	if (rc != 0)
		return rc;
	rc = fill(t, c);
	mdb_cursor_close(c);
	uint64_t n = t->head.count[TASK_QUEUED];
	return rc < 0 ? rc : n > INT_MAX ? INT_MAX : (int)n;
}
