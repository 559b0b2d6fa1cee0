/*
 * Elements of a call that come while it runs: places for a bounded number of
 * them, used again. A place is free, then ready, in the order in which elements
 * came, then somebody's, then over, until what came of it has been taken.
 *
 * Places count from 0. An element may be for one slot alone: FEED_ANY is the
 * slot of one that is for whoever comes.
 */
#ifndef POOL_FEED_H
#define POOL_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_ANY SIZE_MAX

struct feed {
	size_t room;
	size_t *free; /* a stack; the arrays are one allocation */
	size_t frees;
	size_t *ready; /* a ring: the next one is ready[first] */
	size_t first, readies;
	size_t *over; /* a stack */
	size_t overs;
	size_t *slot;	/* by place: whom its element is for */
	size_t *number; /* by place: which of all elements it is, from 1 */
	size_t came;	/* all elements so far */
};

/* 0 or -ENOMEM; all places are free. */
int feed_init(struct feed *f, size_t room);
void feed_release(struct feed *f);

/* An element comes: false where no place is free. */
bool feed_put(struct feed *f, size_t slot, size_t *place);

/* The first of those that are ready for the slot: somebody's from now on. Is
 * there one? */
bool feed_next(struct feed *f, size_t slot, size_t *place);
bool feed_more(const struct feed *f, size_t slot);

/* One that is ready becomes somebody's: false where it is not ready. */
bool feed_withdraw(struct feed *f, size_t place);

/* Somebody's is over. */
void feed_end(struct feed *f, size_t place);

/* One that is over: free from now on. */
bool feed_take(struct feed *f, size_t *place);

#endif
