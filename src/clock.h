/* Monotonic time in nanoseconds. */
#ifndef POOL_CLOCK_H
#define POOL_CLOCK_H

#include <stdint.h>

uint64_t clock_now(void);

/* A duration in seconds as nanoseconds; NaN and negative are 0. */
uint64_t clock_seconds(double s);

/* Milliseconds from now to a moment, rounded up, for poll(): at least 0 and at
 * most `most`. */
int clock_until(uint64_t moment, int most);

#endif
