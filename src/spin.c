/* Staying awake: a moving average of the waits, by halves. */
#include "spin.h"

#include <errno.h>

#include "clock.h"

/* A single long wait makes up for all the short ones before it, but not for
 * the next three. */
static const uint64_t LONGEST = 4 * SPIN_MOST;

void spin_init(struct spin *s)
{
	s->expected = LONGEST;
}

static void learn(struct spin *s, uint64_t waited)
{
	s->expected = (s->expected + (waited < LONGEST ? waited : LONGEST)) / 2;
}

int spin_poll(struct spin *s, struct pollfd *fds, nfds_t n, int ms, bool may)
{
	uint64_t begin = clock_now();
	uint64_t awake = may && s->expected <= SPIN_MOST ? SPIN_MOST : 0;
	int found = poll(fds, n, 0);
	if (ms == 0 || found != 0)
		return found < 0 ? -errno : found; /* nothing was waited for */
	while (found == 0 && clock_now() - begin < awake)
		found = poll(fds, n, 0);
	if (found == 0)
		found = poll(fds, n, ms);
	int rc = found < 0 ? -errno : found;
	learn(s, clock_now() - begin);
	return rc;
}
