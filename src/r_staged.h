/*
 * Elements that are staged once, in a segment that all workers read, and
 * claimed from a shared cursor: both ends.
 *
 * They lie there in blocks, each of which is packed and unpacked as a whole.
 */
#ifndef POOL_R_STAGED_H
#define POOL_R_STAGED_H

#include "chan.h"
#include "r_call.h"

/* ---- the session ---- */

/* Stages the elements of a call, as far as they are light: r->staged is then
 * the message to tell workers, r->staged_n how many. None is no error. */
void r_staged_make(struct r_pool *r, SEXP handle);

/* Can a worker be told to claim? */
bool r_staged_more(const struct r_pool *r);

/* Nobody claims any more: what has no result is run again otherwise. */
int r_staged_end(struct r_pool *r);

/* Nothing more is claimed; drops what is staged. */
void r_staged_drop(struct r_pool *r);

/* Nobody claims any more; r_staged_end() finds out what that leaves. */
void r_staged_give_up(struct r_pool *r);

/* ---- a worker ---- */

/* Takes in the message in front. 0 or -errno. */
int r_staged_open(struct chan *c);
bool r_staged_is_open(void);

/* Claims a range; false at the end. */
bool r_staged_claim(size_t *first, size_t *count);
void r_staged_timed(size_t count, uint64_t ns);

/* The elements of a range that was claimed, as a WIRE_RANGE carries them. */
SEXP r_staged_read(size_t first, size_t count, bool columns);
void r_staged_close(void);

#endif
