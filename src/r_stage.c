/*
 * Stage and claim: what a free worker is sent.
 *
 * A worker is told once what to do (CALL), then given ranges of elements; its
 * result is the request for the next. A write that fails is left to the news of
 * the worker's death, which brings its elements back.
 */
#include <errno.h>

#include "r_call.h"
#include "r_stream.h"

/* Elements first .. first + count - 1 of a vector, without attributes. */
static SEXP part(SEXP x, size_t first, size_t count)
{
	R_xlen_t from = (R_xlen_t)first;
	R_xlen_t n = (R_xlen_t)count;
	SEXP y = PROTECT(Rf_allocVector((SEXPTYPE)TYPEOF(x), n));
	switch (TYPEOF(x)) {
	case LGLSXP:
		LOGICAL_GET_REGION(x, from, n, LOGICAL(y));
		break;
	case INTSXP:
		INTEGER_GET_REGION(x, from, n, INTEGER(y));
		break;
	case REALSXP:
		REAL_GET_REGION(x, from, n, REAL(y));
		break;
	case CPLXSXP:
		COMPLEX_GET_REGION(x, from, n, COMPLEX(y));
		break;
	case RAWSXP:
		RAW_GET_REGION(x, from, n, RAW(y));
		break;
	case STRSXP:
		for (R_xlen_t i = 0; i < n; i++)
			SET_STRING_ELT(y, i, STRING_ELT(x, from + i));
		break;
	default:
		for (R_xlen_t i = 0; i < n; i++)
			SET_VECTOR_ELT(y, i, VECTOR_ELT(x, from + i));
	}
	UNPROTECT(1);
	return y;
}

/* What a range's message carries: a part of the vector, or of every column. */
static SEXP staged(const struct r_pool *r, SEXP elements, size_t first,
		   size_t count)
{
	if (r->kind == CALL_LAPPLY)
		return part(elements, first, count);
	R_xlen_t n = Rf_xlength(elements);
	SEXP columns = PROTECT(Rf_allocVector(VECSXP, n));
	for (R_xlen_t i = 0; i < n; i++)
		SET_VECTOR_ELT(columns, i,
			       part(VECTOR_ELT(elements, i), first, count));
	Rf_setAttrib(columns, R_NamesSymbol,
		     Rf_getAttrib(elements, R_NamesSymbol));
	UNPROTECT(1);
	return columns;
}

static int tell_call(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	int rc;
	if (r->call) {
		rc = chan_queue(&w->chan, r->call);
	} else {
		struct wire_head h = {.kind = WIRE_CALL, .call = r->number};
		struct r_patience patience = {r_call_worker_goes_on, p};
		r->doing = "constant";
		rc = r_stream_write(&w->chan, &h,
				    r_call_held(handle, HELD_CONSTANT),
				    &patience);
	}
	if (rc == 0)
		w->call = r->number;
	return rc;
}

static int tell_range(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	bool more = sched_more(&r->sched, p->slot);
	struct wire_head h = {.kind = WIRE_RANGE,
			      .flags = more ? 0 : WIRE_LAST,
			      .call = r->number,
			      .first = w->first,
			      .count = w->count};
	if (pool_has_cores(&r->pool, 1))
		h.flags |= WIRE_AWAKE;
	if (r->kind == CALL_EACH) {
		int rc = chan_say(&w->chan, &h);
		if (rc < 0)
			return rc;
	} else {
		struct r_patience patience = {r_call_worker_goes_on, p};
		r->doing = "elements";
		SEXP x = PROTECT(staged(r, r_call_held(handle, HELD_ELEMENTS),
					w->first, w->count));
		int rc = r_stream_write(&w->chan, &h, x, &patience);
		UNPROTECT(1);
		if (rc < 0)
			return rc;
	}
	if (!more)
		w->call = 0;
	int rc = chan_flush(&w->chan);
	return rc == -EAGAIN ? 0 : rc;
}

/* Gives every free worker a claim. A worker that dies meanwhile keeps its
 * claim: the news of its death brings the elements back. */
void r_call_hand_out(struct r_pool *r, SEXP handle)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct r_peer p = {r, i};
		if (!worker_free(w) ||
		    !sched_claim(&r->sched, i, &w->first, &w->count))
			continue;
		int rc = w->call != r->number ? tell_call(r, handle, &p) : 0;
		if (rc == 0)
			rc = tell_range(r, handle, &p);
		r->doing = NULL;
		(void)worker_step(w, WORKER_CLAIMED);
		if (rc < 0 && rc != -EPIPE)
			r_throw("worker", rc);
	}
}
