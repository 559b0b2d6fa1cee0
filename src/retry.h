/*
 * When to ask again, and how long to wait before: pure.
 */
#ifndef POOL_RETRY_H
#define POOL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Is it worth asking again after an answer of that status? */
bool retry_status(int status);

/* Does it say that there is too much asked at once? */
bool retry_throttled(int status);

/* Nanoseconds to wait after that many tries (from 1): a random part (0 to 1) of
 * what doubles with each of them, at most 30 s. `after`: seconds that the
 * server asked for (negative: none), honoured up to the same limit. */
uint64_t retry_delay(unsigned tries, double after, double random);

#endif
