/*
 * Result, done and lost: what comes back from a worker.
 */
#include <errno.h>

#include "chan_read.h"
#include "r_call.h"
#include "r_staged.h"
#include "r_stream.h"
#include "r_trace.h"

enum {
	/* Deaths in a row that no element can be charged with: before elements
	 * go alone, before the call is given up. */
	BLIND = 2,
	DEADLY = 12,
};

struct reading {
	struct worker *worker;
	struct r_patience patience;
	SEXP values; /* of all elements */
};

/* The message's object; all values where those of the message, and nothing
 * else, have been put among them. */
static SEXP read_body(void *of)
{
	struct reading *a = of;
	struct worker *w = a->worker;
	unsigned flags = w->chan.head.flags;
	if (!(flags & WIRE_PLAIN) || (flags & WIRE_MIXED))
		return r_stream_read(&w->chan, &a->patience);
	r_stream_read_list(&w->chan, &a->patience, a->values, w->first,
			   w->count);
	return a->values;
}

static SEXP read_failed(SEXP condition, void *of)
{
	(void)condition;
	(void)of;
	return R_NilValue;
}

/* The message's object; NULL, which no result is, where its worker died in the
 * middle. A whole message needs no protection against that. */
static SEXP read_result(struct r_pool *r, size_t slot, SEXP values)
{
	struct r_peer p = {r, slot};
	struct worker *w = &r->pool.workers[slot];
	struct reading a = {w, {r_call_worker_goes_on, &p}, values};
	SEXP x;
	r->reading = slot + 1; /* if there is a jump */
	if (chan_whole(&w->chan) && !w->chan.failed) {
		x = read_body(&a);
		r->reading = 0;
		return x;
	}
	x = R_tryCatchError(read_body, &a, read_failed, NULL);
	if (x == R_NilValue && w->chan.failed) {
		/* The worker gave it up in the middle, and will send another:
		 * something in it cannot be serialized. */
		(void)chan_finish(&w->chan);
		r->reading = 0;
		return x;
	}
	/* Its end may have shown first where it was read from. */
	int rc = x == R_NilValue ? chan_fill(&w->chan) : 0;
	w->eof = w->eof || (rc < 0 && rc != -EAGAIN);
	if (x == R_NilValue && !w->died && !w->eof && !r->pool.lost)
		Rf_error("the result of a node cannot be unserialized");
	r->reading = 0;
	return x;
}

/* A node that could not read the call does not know that it is traced. */
static bool is_mixed(const struct r_pool *r, SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	return TYPEOF(x) == VECSXP && (n == 3 || (n == 4 && r->traced.log > 0));
}

static bool is_list(SEXP x, R_xlen_t n)
{
	return TYPEOF(x) == VECSXP && Rf_xlength(x) == n;
}

/* errors: list(list(place, condition, traceback), ...) */
static bool take_errors(struct r_pool *r, SEXP handle, size_t slot, SEXP errors)
{
	const struct worker *w = &r->pool.workers[slot];
	if (TYPEOF(errors) != VECSXP && errors != R_NilValue)
		return false;
	for (R_xlen_t i = 0; i < Rf_xlength(errors); i++) {
		SEXP e = VECTOR_ELT(errors, i);
		if (!is_list(e, 3) || TYPEOF(VECTOR_ELT(e, 0)) != INTSXP)
			return false;
		int place = Rf_asInteger(VECTOR_ELT(e, 0));
		if (place < 1 || (size_t)place > w->count)
			return false;
		const struct r_failure f = {.element = w->first +
						       (size_t)place - 1,
					    .slot = slot,
					    .condition = VECTOR_ELT(e, 1),
					    .traceback = VECTOR_ELT(e, 2)};
		r_call_failed(r, handle, &f);
	}
	return true;
}

/* Takes a result apart: list of values, or list(values, errors, notes), of a
 * call that is traced also what ran when. */
static bool take_values(struct r_pool *r, SEXP handle, size_t slot, SEXP x,
			bool mixed)
{
	const struct worker *w = &r->pool.workers[slot];
	SEXP values = x;
	if (mixed) {
		if (!is_mixed(r, x))
			return false;
		values = VECTOR_ELT(x, 0);
	}
	if (!is_list(values, (R_xlen_t)w->count))
		return false;
	if (mixed) {
		if (!take_errors(r, handle, slot, VECTOR_ELT(x, 1)))
			return false;
		if (Rf_xlength(x) > 3 &&
		    !r_trace_laps(r, slot, VECTOR_ELT(x, 3)))
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

/* A worker claims by itself no more. What it had claimed and not done is found
 * in the end: it has no result. */
static void leave_stage(struct r_pool *r, struct worker *w)
{
	w->claims = false;
	sched_leave(&r->sched);
}

/* Of a worker that claims by itself: is it a result? Its range is what it says
 * then; otherwise it says that there was nothing left. */
static bool expect(struct r_pool *r, struct worker *w,
		   const struct wire_head *h)
{
	if (h->kind != WIRE_RESULT || h->count > r->staged_n ||
	    h->first > r->staged_n - h->count)
		r_throw("answer", -EPROTO);
	w->first = (size_t)h->first;
	w->count = (size_t)h->count;
	if (w->count > 0)
		return true;
	(void)chan_finish(&w->chan);
	leave_stage(r, w);
	(void)worker_step(w, WORKER_DONE);
	return false;
}

/* What a worker has to say of the element that it is at. */
static void take_told(struct r_pool *r, SEXP handle, size_t slot,
		      const struct wire_head *h)
{
	const struct worker *w = &r->pool.workers[slot];
	if (!r->open || h->call != r->number || w->count != 1 ||
	    h->first != w->first || !(h->flags & WIRE_MIXED))
		r_throw("answer", -EPROTO);
	SEXP x = PROTECT(read_result(r, slot, R_NilValue));
	SEXP told = PROTECT(Rf_allocVector(VECSXP, 2));
	SET_VECTOR_ELT(told, 0, Rf_ScalarInteger((int)w->first + 1));
	SET_VECTOR_ELT(told, 1, x);
	if (x != R_NilValue)
		r_call_hold(handle, HELD_TOLD,
			    Rf_cons(told, r_call_held(handle, HELD_TOLD)));
	UNPROTECT(2);
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
	if (r->open && w->count == 0 && w->expired > 0) {
		/* Likewise, of an element. */
		(void)chan_finish(&w->chan);
		return;
	}
	if (h->kind == WIRE_TOLD) {
		take_told(r, handle, slot, h);
		return;
	}
	if (w->claims && !expect(r, w, h))
		return;
	/* One that is still to be killed for an earlier call has no claim. */
	if (h->kind != WIRE_RESULT || w->count == 0 || h->first != w->first ||
	    h->count > w->count || (h->count < w->count && !r->stops))
		r_throw("answer", -EPROTO);
	size_t asked = w->count;
	w->count = (size_t)h->count;
	SEXP all = r_call_held(handle, HELD_VALUES);
	uint64_t began = r_trace_now(r);
	r->doing = "result";
	SEXP x = PROTECT(read_result(r, slot, all));
	r->doing = NULL;
	if (x != R_NilValue) {
		if (x != all && !take_values(r, handle, slot, x,
					     (h->flags & WIRE_MIXED) != 0))
			r_throw("answer", -EPROTO);
		if (h->count < asked && !r->sched.stopped)
			r_throw("answer", -EPROTO);
		if (h->flags & WIRE_FORGOT)
			w->kept = 0;
		uint64_t ns = h->extra > 0 ? (uint64_t)h->extra : 0;
		w->done += w->count;
		r->blind = 0;
		if (w->claims) {
			sched_finish(&r->sched, w->first, w->count);
		} else {
			sched_done(&r->sched, slot, w->first, w->count, ns);
			(void)worker_step(w, WORKER_DONE);
		}
		w->count = 0;
		r_trace_did(r, TRACE_TAKE, slot, began);
	} else {
		w->count = asked; /* all of it is still to come, or lost */
	}
	UNPROTECT(1);
}

void r_call_claim_back(struct r_pool *r, size_t slot)
{
	struct worker *w = &r->pool.workers[slot];
	if (w->claims) {
		leave_stage(r, w);
	} else if (w->count > 0) {
		int rc = sched_again(&r->sched, slot, w->first, w->count);
		if (rc < 0)
			r_throw("worker", rc);
	}
	w->count = 0;
}

static void blame(struct r_pool *r, SEXP handle, size_t slot, size_t element)
{
	const struct worker *w = &r->pool.workers[slot];
	bool given_up;
	bool expired = w->expired == element + 1;
	int rc = sched_blame(&r->sched, element, expired ? 0 : r->retries,
			     &given_up);
	if (rc < 0)
		r_throw("worker", rc);
	if (!given_up)
		return;
	/* What has come of it does not count. */
	SET_VECTOR_ELT(r_call_held(handle, HELD_VALUES), (R_xlen_t)element,
		       R_NilValue);
	const struct r_failure f = {.element = element,
				    .slot = slot,
				    .condition = R_NilValue,
				    .traceback = R_NilValue,
				    .status = w->status,
				    .expired = expired};
	r_call_failed(r, handle, &f);
}

void r_call_bury(struct r_pool *r, SEXP handle, size_t slot)
{
	struct worker *w = &r->pool.workers[slot];
	size_t element;
	uint64_t since = 0;
	bool busy = w->claims || w->count > 0;
	bool known = busy && r_call_running(r, w, &element, &since);
	if (busy && w->expired > 0) {
		/* It did take too long, wherever its worker is by now. */
		element = w->expired - 1;
		known = !sched_is_done(&r->sched, element);
		since = 0;
	}
	bool began = known && since != UINT64_MAX;
	/* With an open end nobody counts tries: what has not begun is run
	 * again, as what was lost with others is, unless it is for this slot.
	 */
	if (known && (began || !r->open || sched_is_bound(&r->sched, element)))
		blame(r, handle, slot, element);
	const struct r_trace_end end = {.slot = slot,
					.element = known ? &element : NULL,
					.since = began ? since : 0,
					.expired = known && w->expired > 0};
	r_trace_death(r, &end);
	w->expired = 0;
	r_call_claim_back(r, slot);
	/* It may be the function that kills them, before they are at any
	 * element. */
	r->blind += busy && !began;
	if (r->blind > BLIND)
		r_staged_give_up(r);
	if (r->blind > DEADLY && r->blind > r->retries)
		r_throw("deadly", 0);
}

/* All the messages of a worker that are here: 0; -EBUSY where one is left
 * because it is not plain. */
static int collect_all(struct r_pool *r, SEXP handle, size_t slot, bool plain)
{
	struct worker *w = &r->pool.workers[slot];
	struct wire_head h;
	int rc = 0;
	while (w->state == WORKER_BUSY && (rc = chan_head(&w->chan, &h)) == 0 &&
	       chan_readable(&w->chan)) {
		if (plain && h.count > 0 && !(h.flags & WIRE_PLAIN))
			return -EBUSY;
		collect(r, handle, slot, &h);
		if (w->chan.has_head)
			break; /* its worker has died in the middle */
	}
	return rc == -EAGAIN ? 0 : rc;
}

bool r_call_take_in(struct r_pool *r, SEXP handle, bool plain)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		int rc = collect_all(r, handle, i, plain);
		if (rc == -EBUSY)
			return false;
		if (rc < 0)
			r_throw("answer", rc);
		if (r->pool.workers[i].state == WORKER_GONE)
			r_call_bury(r, handle, i);
	}
	return true;
}
