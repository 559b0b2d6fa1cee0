/*
 * When the elements of a claim ran, as a worker records it: a row each, and one
 * for quick ones that follow each other, so that the time it takes is bounded
 * by the time they take.
 *
 * Moments are clock_now()'s, which all processes of a machine share.
 */
#ifndef POOL_LAP_H
#define POOL_LAP_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/* Elements shorter than this, and no further apart, share a row, which gets no
 * longer than that. */
#define LAP_QUICK UINT64_C(100000) /* nanoseconds */
#define LAP_LONGEST UINT64_C(10000000)

struct lap {
	uint64_t begin, end;
	uint64_t first, count; /* elements */
	uint64_t failed;       /* 1: an error; it has a row of its own */
};

/* Zeroed, it is off. */
struct laps {
	struct buf rows; /* struct lap, of this claim */
	bool on;	 /* since lap_open() */
	bool running;	 /* between lap_begin() and lap_end() */
	bool quick;	 /* the last row may grow */
	uint64_t element, since;
};

/* A claim begins; what an earlier one left is dropped. */
void lap_open(struct laps *l, bool on);
void lap_begin(struct laps *l, uint64_t element, uint64_t now);

/* The running element has ended, if there is one. Without memory it has no
 * row. */
void lap_end(struct laps *l, uint64_t now, bool failed);

/* Is a row what a claim of `count` elements from `first` can have? */
bool lap_fits(const struct lap *row, uint64_t first, uint64_t count);

#endif
