/*
 * Result, done and lost: what comes back from a worker.
 */
#include <errno.h>

#include "r_call.h"
#include "r_stream.h"

enum { RETRIES = 2 }; /* of an element that was alone when it was lost */

struct reading {
	struct chan *chan;
	struct r_patience patience;
};

static SEXP read_body(void *of)
{
	struct reading *a = of;
	return r_stream_read(a->chan, &a->patience);
}

static SEXP read_failed(SEXP condition, void *of)
{
	(void)condition;
	(void)of;
	return R_NilValue;
}

/* The message's object; NULL, which no result is, where its worker died in the
 * middle. A whole message needs no protection against that. */
static SEXP read_result(struct r_pool *r, size_t slot)
{
	struct r_peer p = {r, slot};
	struct worker *w = &r->pool.workers[slot];
	struct reading a = {&w->chan, {r_call_worker_goes_on, &p}};
	if (chan_whole(&w->chan) && !w->chan.failed)
		return read_body(&a);
	SEXP x = R_tryCatchError(read_body, &a, read_failed, NULL);
	if (x == R_NilValue && w->chan.failed) {
		/* The worker gave it up in the middle, and will send another:
		 * something in it cannot be serialized. */
		(void)chan_finish(&w->chan);
		return x;
	}
	if (x == R_NilValue && !w->died && !w->eof && !r->pool.lost)
		Rf_error("the result of a node cannot be unserialized");
	return x;
}

/* list(index, node, ...) in front of those held already. */
static void add_error(SEXP handle, size_t index, size_t slot, SEXP condition,
		      SEXP traceback, int status)
{
	static const char *const names[] = {"index",	 "node",   "parent",
					    "traceback", "status", ""};
	SEXP e = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	SET_VECTOR_ELT(e, 0, Rf_ScalarReal((double)index + 1));
	SET_VECTOR_ELT(e, 1, Rf_ScalarInteger((int)slot + 1));
	SET_VECTOR_ELT(e, 2, condition);
	SET_VECTOR_ELT(e, 3, traceback);
	SET_VECTOR_ELT(e, 4, Rf_ScalarInteger(status));
	r_call_hold(handle, HELD_ERRORS,
		    Rf_cons(e, r_call_held(handle, HELD_ERRORS)));
	UNPROTECT(1);
}

static bool is_list(SEXP x, R_xlen_t n)
{
	return TYPEOF(x) == VECSXP && Rf_xlength(x) == n;
}

/* errors: list(list(place, condition, traceback), ...) */
static bool take_errors(SEXP handle, const struct worker *w, size_t slot,
			SEXP errors)
{
	if (TYPEOF(errors) != VECSXP && errors != R_NilValue)
		return false;
	for (R_xlen_t i = 0; i < Rf_xlength(errors); i++) {
		SEXP e = VECTOR_ELT(errors, i);
		if (!is_list(e, 3) || TYPEOF(VECTOR_ELT(e, 0)) != INTSXP)
			return false;
		int place = Rf_asInteger(VECTOR_ELT(e, 0));
		if (place < 1 || (size_t)place > w->count)
			return false;
		add_error(handle, w->first + (size_t)place - 1, slot,
			  VECTOR_ELT(e, 1), VECTOR_ELT(e, 2), 0);
	}
	return true;
}

/* Takes a result apart: list of values, or list(values, errors, notes). */
static bool take_values(SEXP handle, const struct worker *w, size_t slot,
			SEXP x, bool mixed)
{
	SEXP values = x;
	if (mixed) {
		if (!is_list(x, 3))
			return false;
		values = VECTOR_ELT(x, 0);
	}
	if (!is_list(values, (R_xlen_t)w->count))
		return false;
	if (mixed) {
		if (!take_errors(handle, w, slot, VECTOR_ELT(x, 1)))
			return false;
		SEXP notes = VECTOR_ELT(x, 2);
		if (Rf_xlength(notes) > 0)
			r_call_hold(handle, HELD_NOTES,
				    Rf_cons(notes,
					    r_call_held(handle, HELD_NOTES)));
	}
	SEXP all = r_call_held(handle, HELD_VALUES);
	for (size_t i = 0; i < w->count; i++)
		SET_VECTOR_ELT(all, (R_xlen_t)(w->first + i),
			       VECTOR_ELT(values, (R_xlen_t)i));
	return true;
}

/* A message of a worker that is at work. */
static void collect(struct r_pool *r, SEXP handle, size_t slot,
		    const struct wire_head *h)
{
	struct worker *w = &r->pool.workers[slot];
	if (h->kind == WIRE_RESULT && h->call != r->number) {
		/* Of a call that was given up; its worker is being killed. */
		(void)chan_finish(&w->chan);
		return;
	}
	bool ours = h->kind == WIRE_RESULT && h->first == w->first &&
		    h->count == w->count;
	r->doing = "result";
	SEXP x = PROTECT(read_result(r, slot));
	r->doing = NULL;
	if (x != R_NilValue) {
		if (!ours || !take_values(handle, w, slot, x,
					  (h->flags & WIRE_MIXED) != 0))
			r_throw("answer", -EPROTO);
		uint64_t ns = h->extra > 0 ? (uint64_t)h->extra : 0;
		sched_done(&r->sched, slot, w->first, w->count, ns);
		w->done += w->count;
		w->count = 0;
		(void)worker_step(w, WORKER_DONE);
	}
	UNPROTECT(1);
}

void r_call_bury(struct r_pool *r, SEXP handle, size_t slot)
{
	struct worker *w = &r->pool.workers[slot];
	if (w->count > 0) {
		bool given_up;
		size_t first = w->first;
		int rc = sched_lost(&r->sched, slot, first, w->count, RETRIES,
				    &given_up);
		w->count = 0;
		if (rc < 0)
			r_throw("worker", rc);
		if (given_up)
			add_error(handle, first, slot, R_NilValue, R_NilValue,
				  w->status);
	}
}

void r_call_take_in(struct r_pool *r, SEXP handle)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct wire_head h;
		int rc = w->state == WORKER_BUSY ? chan_head(&w->chan, &h)
						 : -EAGAIN;
		if (rc == 0 && chan_readable(&w->chan))
			collect(r, handle, i, &h);
		else if (rc < 0 && rc != -EAGAIN)
			r_throw("answer", rc);
		if (w->state == WORKER_GONE)
			r_call_bury(r, handle, i);
	}
}
