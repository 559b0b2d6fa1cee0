/* Monotonic time in nanoseconds. */
#include "clock.h"

#include <time.h>

uint64_t clock_now(void)
{
	struct timespec t;
	/* Cannot fail: the clock exists on every system we build for. */
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_seconds(double s)
{
	if (!(s > 0))
		return 0;
	return s > 4e9 ? (uint64_t)4000000000u * 1000000000u
		       : (uint64_t)(s * 1e9);
}

int clock_until(uint64_t moment, int most)
{
	uint64_t now = clock_now();
	if (moment <= now)
		return 0;
	uint64_t ms = (moment - now + 999999u) / 1000000u;
	return ms > (uint64_t)most ? most : (int)ms;
}
