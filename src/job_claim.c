/* Claimants. */
#include "job_claim.h"

#include <errno.h>

#include "job_task.h"

int job_living(const struct job_txn *t, const struct alive *alive, bool forget,
	       struct job_living *out)
{
	uint64_t slot = 0, number;
	out->n = out->dead = 0;
	for (;; slot++) {
		int rc = job_number_next(t, JOB_CLAIMANT, &slot, &number);
		if (rc == -ENOENT)
			return 0;
		if (rc == 0 && slot >= ALIVE_SLOTS)
			rc = job_noted(t, -EBADMSG, JOB_CLAIMANT, slot);
		int lives = rc == 0 ? alive_is(alive, (int)slot) : rc;
		if (lives == 0) {
			out->dead++;
			lives = forget ? job_number_delete(t, JOB_CLAIMANT,
							   slot)
				       : 0;
		} else if (lives > 0) {
			out->number[out->n++] = number;
		}
		if (lives < 0)
			return lives;
	}
}

bool job_lives(const struct job_living *l, uint64_t number)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->number[i] == number)
			return true;
	return false;
}

int job_join(struct job_txn *t, int slot, uint64_t *me)
{
	uint64_t number;
	int rc = job_number_get(t, JOB_CLAIMANT, (uint64_t)slot, &number);
	if (rc == 0 && *me == number && *me != 0)
		return 0;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	/* Who had that number is not among the living any more. */
	*me = ++t->head.claimants;
	t->changed = true;
	int put = job_number_put(t, JOB_CLAIMANT, (uint64_t)slot, *me);
	return put < 0 ? put : rc == 0;
}

/* Claims of `of`, or, where that is 0, of none of the living, go back. */
static int sweep(struct job_txn *t, const struct job_living *l, uint64_t of)
{
	uint64_t task = 1, number;
	int n = 0;
	for (;; task++) {
		int rc = job_number_next(t, JOB_CLAIM, &task, &number);
		if (rc == -ENOENT)
			return n;
		if (rc == 0 && (of ? number == of : !job_lives(l, number)))
			rc = job_task_return(t, task);
		if (rc < 0)
			return rc == -ERANGE
				       ? job_noted(t, -EBADMSG, JOB_CLAIM, task)
				       : rc;
		n += rc;
	}
}

int job_bury(struct job_txn *t, const struct alive *alive, bool all)
{
	struct job_living l;
	int rc = job_living(t, alive, true, &l);
	return rc < 0 || (l.dead == 0 && !all) ? rc : sweep(t, &l, 0);
}

int job_part(struct job_txn *t, int slot, uint64_t me)
{
	uint64_t number;
	static const struct job_living none;
	int n = sweep(t, &none, me);
	if (n < 0)
		return n;
	int rc = job_number_get(t, JOB_CLAIMANT, (uint64_t)slot, &number);
	if (rc == 0 && number == me)
		rc = job_number_delete(t, JOB_CLAIMANT, (uint64_t)slot);
	return rc < 0 && rc != -ENOENT ? rc : n;
}
