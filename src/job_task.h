/*
 * What happens to a task, in a transaction: from one table to another, as
 * task_state.h says. 0 where that changes nothing, 1, or -errno.
 */
#ifndef POOL_JOB_TASK_H
#define POOL_JOB_TASK_H

#include "job_tables.h"

/* Where a task is; *claimant: who is at it, or 0. -ERANGE: there is no such
 * task. */
int job_task_state(const struct job_txn *t, uint64_t task,
		   enum task_state *state, uint64_t *claimant);

/* It goes back to the queue, if somebody was at it. */
int job_task_return(struct job_txn *t, uint64_t task);

/* It gets its result, if it has none. */
int job_task_finish(struct job_txn *t, uint64_t task,
		    const struct job_result *result);

/* At most n tasks off the front of the queue, which follow each other, are
 * claimed: how many, from *first on. */
int job_task_claim(struct job_txn *t, uint64_t claimant, uint64_t n,
		   uint64_t *first);

/* It is charged with one try more: how many it has then. */
int job_task_charge(struct job_txn *t, uint64_t task);

/* How many it has. */
int job_task_tries(const struct job_txn *t, uint64_t task);

#endif
