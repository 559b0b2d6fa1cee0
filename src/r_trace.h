/*
 * Who ran what when: a log of the session's, and what nodes tell for it.
 *
 * Off, it costs a comparison a message. It is on from C_trace_begin() to
 * C_trace_end(), which may be nested; calls that begin meanwhile are recorded.
 * In a fork it is off.
 */
#ifndef POOL_R_TRACE_H
#define POOL_R_TRACE_H

#include "lap.h"
#include "r_pool.h"

enum trace_kind {
	TRACE_MARK,  /* C_trace_begin() */
	TRACE_CALL,  /* `first`: nodes; `count`: elements; `tries`: call_kind,
		      or TRACE_OPEN */
	TRACE_TASK,  /* elements in a node */
	TRACE_SEND,  /* the session serializes, for a node */
	TRACE_TAKE,  /* it reads a node's answer */
	TRACE_START, /* a replacement is asked for */
};

/* Of a call with an open end nobody knew how many elements there would be. */
enum { TRACE_OPEN = 3 };

enum trace_how {
	TRACE_DONE,
	TRACE_ERROR,
	TRACE_LOST,    /* with its node; `count` 0: the node was at none */
	TRACE_EXPIRED, /* the node was killed for its time */
	TRACE_CUT,     /* the call ended before it did */
};

bool r_trace_on(void);

/* ---- the session: where a call is not traced, nothing ---- */

/* list(kind, function, arguments, limits) so that nodes record. */
SEXP r_trace_constant(SEXP constant);
void r_trace_call(struct r_pool *r, uint64_t begin);
void r_trace_cut(struct r_pool *r);
void r_trace_over(struct r_pool *r, bool failed);

/* Now, for r_trace_did(); 0 where it is not traced. */
uint64_t r_trace_now(const struct r_pool *r);
void r_trace_did(const struct r_pool *r, enum trace_kind kind, size_t slot,
		 uint64_t begin);

/* The rows that came with the result of a worker's claim: false where they make
 * no sense. */
bool r_trace_laps(const struct r_pool *r, size_t slot, SEXP laps);

/* A worker is gone; `element`: what it was at, since when, or NULL. */
struct r_trace_end {
	size_t slot;
	const size_t *element;
	uint64_t since; /* 0, or UINT64_MAX: nobody knows */
	bool expired;
};
void r_trace_death(const struct r_pool *r, const struct r_trace_end *e);

/* ---- a worker ---- */

/* The reply with what was recorded: list(values, errors, notes, rows). kind: as
 * C_node_reply() has it. */
SEXP r_trace_reply(const struct laps *l, SEXP value, int kind);

#endif
