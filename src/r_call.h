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
	HELD_TOLD,   /* likewise: what was told before a result */
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

/* The claim of a worker that is gone, if it had one, is lost; the element that
 * was running is charged with a try. */
void r_call_bury(struct r_pool *r, SEXP handle, size_t slot);

/* The same of one that died through no fault of its elements. */
void r_call_claim_back(struct r_pool *r, size_t slot);

/* An element has failed: it is on the handle's list of errors. */
struct r_failure {
	size_t element, slot;
	SEXP condition; /* R_NilValue: it was lost with its worker */
	SEXP traceback;
	int status;   /* wait status of the worker */
	bool expired; /* it took longer than it may */
};
void r_call_failed(struct r_pool *r, SEXP handle, const struct r_failure *f);

/* Workers are to stop; nothing more is handed out. */
void r_call_stop(struct r_pool *r);

/* Kills the workers whose elements take longer than they may. How many
 * milliseconds to wait, at most `ms`, before the next look. */
int r_call_expire(struct r_pool *r, int ms);

/* The element that a worker is at, and since when, as far as can be told. */
bool r_call_running(const struct r_pool *r, const struct worker *w,
		    size_t *element, uint64_t *since);

/* How far the call is, where that is to be told now: c(elements done, of how
 * many, failed); R_NilValue otherwise. */
SEXP r_progress_due(struct r_pool *r, SEXP handle);

/* Milliseconds until then, at most `ms`. */
int r_progress_wait(const struct r_pool *r, int ms);

/* Takes in whatever results have come, and the claims of workers that died.
 * plain: only what is in the compact form; false where something else has come,
 * and is left. */
bool r_call_take_in(struct r_pool *r, SEXP handle, bool plain);

/* Of a call with an open end: the worker that is at that element, or NULL. */
struct worker *r_feed_whose(const struct r_pool *r, size_t place);

#endif
