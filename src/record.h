/*
 * What a worker is at, in memory that it shares with the session: the running
 * element, since when, and whether it is to stop.
 *
 * It serves blame and time limits only: what is done is known by results alone,
 * and a worker may be killed between its claim and its record. The session
 * trusts none of it further than its own numbers go.
 */
#ifndef POOL_RECORD_H
#define POOL_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In shared memory; zeroed memory is that of a worker at nothing. */
struct record {
	_Atomic uint64_t at; /* cursor_place() of the one after the element */
	_Atomic uint64_t since;
	_Atomic uint32_t stops; /* the last call that was stopped */
	_Atomic uint64_t steps; /* of the element: most << 32 | begun */
};

/* The worker: an element begins at a moment, 0 where nobody asks when; none is
 * running. */
void record_begin(struct record *r, uint32_t call, size_t element,
		  uint64_t since);
void record_end(struct record *r);
bool record_stops(const struct record *r, uint32_t call);

/* An element may have steps, at most so many, that the session can cut short:
 * is another one to begin? None is left once the element has ended. */
void record_steps(struct record *r, uint32_t most);
bool record_step(struct record *r);

/* The session: no step begins any more; how many have. False where the element
 * has none, or not yet, or not any more. */
bool record_cut(struct record *r, uint32_t *begun);

/* The session: the element of the call that is running, and since when. */
bool record_running(const struct record *r, uint32_t call, size_t *element,
		    uint64_t *since);
void record_stop(struct record *r, uint32_t call);

#endif
