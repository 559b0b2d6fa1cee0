/*
 * poll() that asks again and again for a while before it sleeps.
 *
 * To be woken takes longer than a short task: whoever expects an answer within
 * microseconds, and has a core to spare, does better to stay awake. What is
 * expected is learned from the waits before. Where others want the processors
 * it may keep the very process from one that is waited for: whenever it was in
 * vain it is tried less often.
 */
#ifndef POOL_SPIN_H
#define POOL_SPIN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* The longest that anybody stays awake for nothing, in nanoseconds. */
#define SPIN_MOST UINT64_C(200000)

struct spin {
	uint64_t expected; /* nanoseconds, of the next wait */
	uint64_t polled;   /* when the system was asked last */
	unsigned wary;	   /* waits to sleep through after the next failure */
	unsigned asleep;   /* of these, how many are left */
};

/* What comes by another way than a descriptor. */
struct spin_look {
	bool (*ready)(void *of); /* is anything there? */
	/* We are about to sleep, and are to be woken through a descriptor; or
	 * awake again. */
	void (*sleeps)(void *of, bool sleeps);
	void *of;
};

/* Nothing is expected soon. */
void spin_init(struct spin *s);

/* As poll(), and -errno; 0 also where `look`, unless that is NULL, finds
 * something: then descriptors are asked once a millisecond. `may`: is there a
 * core to stay awake on? */
int spin_poll(struct spin *s, struct pollfd *fds, nfds_t n, int ms, bool may,
	      const struct spin_look *look);

#endif
