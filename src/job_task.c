/* What happens to a task. */
#include "job_task.h"

#include <errno.h>
#include <limits.h>

int job_task_state(const struct job_txn *t, uint64_t task,
		   enum task_state *state, uint64_t *claimant)
{
	struct job_result result;
	*claimant = 0;
	if (task < 1 || task > t->head.tasks)
		return -ERANGE;
	int rc = job_number_get(t, JOB_CLAIM, task, claimant);
	*state = TASK_RUNNING;
	if (rc != -ENOENT)
		return rc;
	rc = job_result_get(t, task, &result);
	*state = rc == 0 ? result.status : TASK_QUEUED;
	return rc == -ENOENT ? 0 : rc;
}

/* Out of the table of one state; the caller puts it into that of the next. */
static int leave(struct job_txn *t, uint64_t task, enum task_state from,
		 enum task_state to)
{
	if (t->head.count[from] == 0)
		return job_noted(t, -EBADMSG, JOB_META, 0);
	t->head.count[from]--;
	t->head.count[to]++;
	t->changed = true;
	return from == TASK_QUEUED ? job_queue_remove(t, task)
				   : job_number_delete(t, JOB_CLAIM, task);
}

int job_task_return(struct job_txn *t, uint64_t task)
{
	enum task_state from, to;
	uint64_t claimant;
	int rc = job_task_state(t, task, &from, &claimant);
	if (rc < 0)
		return rc;
	to = task_next(from, TASK_RETURN);
	if (to == TASK_NONE)
		return 0;
	rc = leave(t, task, from, to);
	if (rc == 0)
		rc = job_queue_add(t, task, task);
	return rc < 0 ? rc : 1;
}

static enum task_event ending(enum task_state status)
{
	return status == TASK_COMPLETED ? TASK_COMPLETE
	       : status == TASK_FAILED	? TASK_FAIL
					: TASK_LOSE;
}

int job_task_finish(struct job_txn *t, uint64_t task,
		    const struct job_result *result)
{
	enum task_state from, to;
	uint64_t claimant;
	int rc = job_task_state(t, task, &from, &claimant);
	if (rc < 0)
		return rc;
	to = task_next(from, ending(result->status));
	if (to == TASK_NONE)
		return 0;
	rc = leave(t, task, from, to);
	if (rc == 0)
		rc = job_result_put(t, task, result);
	return rc < 0 ? rc : 1;
}

int job_task_claim(struct job_txn *t, uint64_t claimant, uint64_t n,
		   uint64_t *first)
{
	enum task_state to = task_next(TASK_QUEUED, TASK_CLAIM);
	n = n > INT_MAX ? INT_MAX : n;
	int rc = n == 0 ? -ENOENT : job_queue_take(t, first, &n);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (t->head.count[TASK_QUEUED] < n)
		return job_noted(t, -EBADMSG, JOB_META, 0);
	t->head.count[TASK_QUEUED] -= n;
	t->head.count[to] += n;
	t->changed = true;
	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = job_number_put(t, JOB_CLAIM, *first + i, claimant);
	return rc < 0 ? rc : (int)n;
}

int job_task_tries(const struct job_txn *t, uint64_t task)
{
	uint64_t tries = 0;
	if (t->head.tried == 0)
		return 0;
	int rc = job_number_get(t, JOB_TRIES, task, &tries);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : tries > INT_MAX ? INT_MAX : (int)tries;
}

int job_task_charge(struct job_txn *t, uint64_t task)
{
	int tries = job_task_tries(t, task);
	if (tries < 0 || tries == INT_MAX)
		return tries;
	if (tries == 0) {
		t->head.tried++;
		t->changed = true;
	}
	int rc = job_number_put(t, JOB_TRIES, task, (uint64_t)tries + 1);
	return rc < 0 ? rc : tries + 1;
}
