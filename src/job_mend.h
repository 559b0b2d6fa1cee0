/*
 * The results are the truth: what else is known of who is at what can be made
 * anew from them.
 */
#ifndef POOL_JOB_MEND_H
#define POOL_JOB_MEND_H

#include "job_tables.h"

/* Queues every task that has no result, whoever is at it, in a transaction: how
 * many, or -errno. Tries are forgotten. */
int job_mend(struct job_txn *t);

/* Is that of use where this record is damaged? */
bool job_can_mend(const struct job_damage *damage);

#endif
