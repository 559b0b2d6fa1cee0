/*
 * Work on a job: more tasks, claims and results. What fails is -errno, as job.h
 * has it; what is a value of a task is copied before any of these returns.
 */
#ifndef POOL_JOB_WORK_H
#define POOL_JOB_WORK_H

#include "job.h"

/* *first: the number of the first one. */
int job_add(struct job *j, const struct bytes *tasks, size_t n,
	    uint64_t *first);

struct job_done {
	uint64_t task;
	enum task_state status;
	double seconds;
	struct bytes value;
};

/* Results, then claims: at most `most`, of what the dead had, too, into
 * j->claimed. -ERANGE: there is no such task. */
int job_commit(struct job *j, const struct job_done *done, size_t n,
	       size_t most);

/* A death in a task of ours: 1: it was the last one, and `value` is its result;
 * 0: it is queued again. */
int job_charge(struct job *j, uint64_t task, int most, struct bytes value);

int job_release(struct job *j, const uint64_t *tasks, size_t n);

/* All that the last call has claimed. */
int job_give_back(struct job *j);

#endif
