/* When to ask again. The whole of the delay is random ("full jitter"): clients
 * that failed together do not come back together. */
#include "retry.h"

#include "clock.h"

static const double first_delay = 0.2; /* seconds */
static const double last_delay = 30;

bool retry_status(int status)
{
	switch (status) {
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return true;
	default:
		return false;
	}
}

bool retry_throttled(int status)
{
	return status == 429 || status == 503;
}

uint64_t retry_delay(unsigned tries, double after, double random)
{
	double delay = first_delay;
	for (unsigned i = 1; i < tries && delay < last_delay; i++)
		delay *= 2;
	if (delay > last_delay)
		delay = last_delay;
	delay *= random;
	if (after > last_delay)
		after = last_delay;
	if (after >= 0)
		delay = after + delay / 8; /* they were all told the same */
	return clock_seconds(delay);
}
