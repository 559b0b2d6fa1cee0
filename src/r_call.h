/*
 * What the files of a call share: r_call.c drives it, r_stage.c hands ranges
 * out, r_result.c takes in what comes back. Its R objects hang on the handle.
 */
#ifndef POOL_R_CALL_H
#define POOL_R_CALL_H

#include "r_pool.h"

enum r_call_held {
	HELD_CONSTANT, /* list(kind, function, arguments) */
	HELD_ELEMENTS,
	HELD_VALUES, /* the list of results */
	HELD_ERRORS, /* a pairlist, the last one first */
	HELD_NOTES,  /* likewise: what is to be relayed */
	HELD_TOKEN,  /* tells the call from one made inside it */
	HELD
};

SEXP r_call_held(SEXP handle, enum r_call_held what);
void r_call_hold(SEXP handle, enum r_call_held what, SEXP x);

/* For a struct r_patience: while that worker keeps us waiting in the middle of
 * a message. Looks for interrupts, so it may jump; -EPIPE once it is dead. */
struct r_peer {
	struct r_pool *r;
	size_t slot;
};
int r_call_worker_goes_on(void *peer);

/* Gives every free worker a claim. */
void r_call_hand_out(struct r_pool *r, SEXP handle);

/* The claim of a worker that is gone, if it had one, is lost. */
void r_call_bury(struct r_pool *r, SEXP handle, size_t slot);

/* Takes in whatever results have come, and the claims of workers that died.
 * plain: only what is in the compact form; false where something else has come,
 * and is left. */
bool r_call_take_in(struct r_pool *r, SEXP handle, bool plain);

#endif
