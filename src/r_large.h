/*
 * Large vectors beside a message: their data travels in segments of shared
 * memory, as they are or anywhere in lists and data frames; not what hangs on
 * environments, attributes or calls.
 */
#ifndef POOL_R_LARGE_H
#define POOL_R_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "r_util.h"

/* What becomes of a segment's descriptor: takes it over. -errno: the vector
 * goes with the message. */
struct large_sink {
	int (*pass)(void *of, int fd);
	void *of;
	size_t most; /* of them, for this object */
	size_t n;    /* passed */
};

/*
 * x; or a copy of its lists, as far down as they hold large vectors, with a
 * stand-in for each, whose data has been passed. A stand-in is to be serialized
 * and dropped.
 */
SEXP r_large_stage(SEXP x, struct large_sink *to);

/* Is there a large vector in x, or in its lists? */
bool r_large_any(SEXP x);

/* Bytes into a segment of this process, as store_put(). */
int r_large_put(const void *bytes, size_t n, int *fd, uint64_t *id);

/* This process lets its segments go. */
void r_large_release(void);

#endif
