/*
 * Claimants, in a transaction: joining, burying, leaving. 0 or more, or -errno.
 */
#ifndef POOL_JOB_CLAIM_H
#define POOL_JOB_CLAIM_H

#include "alive.h"
#include "job_tables.h"

/* Who lives: the numbers of claimants. */
struct job_living {
	uint64_t number[ALIVE_SLOTS];
	size_t n;
	size_t dead; /* how many others there were */
};

/* `forget`: the others lose their slots. */
int job_living(const struct job_txn *t, const struct alive *alive, bool forget,
	       struct job_living *out);
bool job_lives(const struct job_living *l, uint64_t number);

/* Gives slot `slot`, whose lock we hold, the number *me: the one it has, or a
 * new one. 1: somebody had died there, who is to be buried. */
int job_join(struct job_txn *t, int slot, uint64_t *me);

/* What the dead had goes back to the queue: how many tasks. `all`: looks at
 * each claim even where nobody died. */
int job_bury(struct job_txn *t, const struct alive *alive, bool all);

/* What `me` had goes back, and the slot is free. */
int job_part(struct job_txn *t, int slot, uint64_t me);

#endif
