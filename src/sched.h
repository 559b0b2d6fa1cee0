/*
 * What is claimed, done and lost of the n elements of one call.
 *
 * The truth is the bitmap of finished elements. What a worker that died had
 * claimed is run again element by element, alone; only the one that was
 * running, or alone, is charged with a try.
 *
 * Elements and slots count from 0. Functions return 0 or -ENOMEM.
 */
#ifndef POOL_SCHED_H
#define POOL_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed.h"

#define SCHED_ANY SIZE_MAX

struct sched_alone {
	size_t element;
	size_t slot; /* the only slot that may run it, or SCHED_ANY */
};

struct sched_slot {
	double ns;    /* an element's time, as last seen; 0: not yet */
	size_t size;  /* of the last claim */
	size_t chunk; /* static: the next chunk */
	size_t given; /* elements of that one, handed out already */
};

struct sched {
	size_t n;
	size_t left;	/* elements without a result */
	size_t cursor;	/* the first element never claimed */
	size_t staged;	/* those before are claimed elsewhere; 0: none */
	uint64_t *done; /* bitmap */
	size_t slots;
	struct sched_slot *slot;
	size_t *starts; /* static: chunk k is starts[k] .. starts[k + 1] - 1 */
	size_t chunks;	/* 0: dynamic */
	struct sched_alone *alone; /* to be run again, a stack */
	size_t alones, alone_room;
	unsigned *tries;  /* by element, once one was lost */
	size_t claims;	  /* handed out and not yet back */
	bool singly;	  /* one claim at a time */
	bool single;	  /* a claim is one element */
	bool stopped;	  /* nothing more is handed out */
	struct feed feed; /* with room: elements come while the call runs */
};

int sched_init(struct sched *s, size_t n, size_t slots);
void sched_release(struct sched *s);

/* Chunk k, elements starts[k] to starts[k + 1] - 1, is for slot k modulo the
 * number of slots; starts has chunks + 1 entries. */
int sched_fix(struct sched *s, const size_t *starts, size_t chunks);

/*
 * An open end: none of the n elements is there yet, a claim is one element.
 * sched_put() makes one of those that are free one to be claimed, sched_take()
 * gives back one that is finished, which is free then; false: there is none.
 * The element may be for one slot alone, if that is not SCHED_ANY: what is
 * bound so is not run again when it was lost, so it is to be charged with any
 * loss. sched_withdraw() finishes one that nobody has claimed; false: somebody
 * has.
 */
int sched_open(struct sched *s);
bool sched_put(struct sched *s, size_t slot, size_t *element);
bool sched_take(struct sched *s, size_t *element);
bool sched_withdraw(struct sched *s, size_t element);
bool sched_is_bound(const struct sched *s, size_t element);

/* The next range for a slot: false when there is none for it now. */
bool sched_claim(struct sched *s, size_t slot, size_t *first, size_t *count);

/* Is there anything left for the slot to claim? */
bool sched_more(const struct sched *s, size_t slot);

/* Elements 0 to n - 1 are claimed elsewhere, by slots that join and leave;
 * results of theirs finish elements. */
void sched_stage(struct sched *s, size_t n);
void sched_join(struct sched *s);
void sched_finish(struct sched *s, size_t first, size_t count);
void sched_leave(struct sched *s);

/* No more of that, and nobody is at it. What had been claimed, elements 0 to
 * claimed - 1, and is not done was lost: it is run again, each alone. */
int sched_unstage(struct sched *s, size_t claimed);

/* Results of a range have come, after `ns` nanoseconds of work. */
void sched_done(struct sched *s, size_t slot, size_t first, size_t count,
		uint64_t ns);

/* An element was running when its worker died: that is a try. Sets *given_up
 * once there were more than `retries`: it then counts as finished, without a
 * result. */
int sched_blame(struct sched *s, size_t element, unsigned retries,
		bool *given_up);

/* A claim comes back: what is not finished of it is run again, each element
 * alone. */
int sched_again(struct sched *s, size_t slot, size_t first, size_t count);

/* Several claims were lost together, and nobody knows by whose fault: until
 * there is nothing left to be run alone, one claim is handed out at a time. */
void sched_singly(struct sched *s);

/* Nothing more is handed out; what is claimed may still finish, and what was
 * staged is not any more. */
void sched_stop(struct sched *s);

/* Is there anything to wait for? */
bool sched_goes_on(const struct sched *s);

bool sched_is_done(const struct sched *s, size_t element);

#endif
