/*
 * What is to be seen of a job, and what ends or mends it. What fails is -errno,
 * as job.h has it. What is put into `out` takes the place of what was there.
 */
#ifndef POOL_JOB_LOOK_H
#define POOL_JOB_LOOK_H

#include "job.h"

int job_manifest(struct job *j, struct job_items *out);

int job_status(struct job *j, struct job_head *out);

/* Results of at most n tasks from `from` on. */
int job_results(struct job *j, uint64_t from, uint64_t n,
		struct job_items *out);

/* Tasks of dead claimants; and what was theirs goes back: how many. Where the
 * queue, or who is at what, was damaged, all that has no result does. */
int job_abandoned(struct job *j, struct job_items *out);
int job_requeue(struct job *j);

int job_terminate(struct job *j);

#endif
