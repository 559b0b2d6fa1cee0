/*
 * Do the workers at work keep the cores busy?
 *
 * As long as they do, one more would only compete with them, after it has read
 * the function; workers that sleep or wait leave the cores to others. After a
 * second the answer is no, whatever they do: they may be waiting for one
 * another without sleeping.
 */
#ifndef POOL_LOAD_H
#define POOL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

struct load {
	uint64_t began;
	uint64_t looked;  /* when we looked last; 0: not yet */
	uint64_t used;	  /* processor time of all by then */
	uint64_t session; /* of that, the session's */
	bool spare;	  /* seen once: for good */
};

void load_begin(struct load *l);

/* Are all cores taken, by the session and by workers that have been busy since
 * the last time? */
bool load_is_full(struct load *l, const struct pool *p);

/* Milliseconds until it is worth asking again, at most `most`. */
int load_wait(const struct load *l, int most);

#endif
