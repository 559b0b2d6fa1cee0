/*
 * Result, done and lost: what comes back from a worker.
 */
#include <errno.h>

#include "r_call.h"
#include "r_stream.h"

enum { RETRIES = 2 }; /* of an element that was alone when it was lost */

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
	if (chan_whole(&w->chan) && !w->chan.failed)
		return read_body(&a);
	SEXP x = R_tryCatchError(read_body, &a, read_failed, NULL);
	if (x == R_NilValue && w->chan.failed) {
		/* The worker gave it up in the middle, and will send another:
		 * something in it cannot be serialized. */
		(void)chan_finish(&w->chan);
		return x;
	}
	/* Its end may have shown first where it was read from. */
	int rc = x == R_NilValue ? chan_fill(&w->chan) : 0;
	w->eof = w->eof || (rc < 0 && rc != -EAGAIN);
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

/* Of a worker that claims by itself: is it a result? Its range is what it says
 * then; otherwise it says that there was nothing left. */
static bool expect(struct r_pool *r, struct worker *w,
		   const struct wire_head *h)
{
	if (h->kind != WIRE_RESULT || h->first + h->count > r->staged_n)
		r_throw("answer", -EPROTO);
	w->first = (size_t)h->first;
	w->count = (size_t)h->count;
	if (w->count > 0)
		return true;
	(void)chan_finish(&w->chan);
	w->claims = false;
	sched_leave(&r->sched);
	(void)worker_step(w, WORKER_DONE);
	return false;
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
	if (w->claims && !expect(r, w, h))
		return;
	if (h->kind != WIRE_RESULT || h->first != w->first ||
	    h->count != w->count)
		r_throw("answer", -EPROTO);
	SEXP all = r_call_held(handle, HELD_VALUES);
	r->doing = "result";
	SEXP x = PROTECT(read_result(r, slot, all));
	r->doing = NULL;
	if (x != R_NilValue) {
		if (x != all && !take_values(handle, w, slot, x,
					     (h->flags & WIRE_MIXED) != 0))
			r_throw("answer", -EPROTO);
		if (h->flags & WIRE_FORGOT)
			w->kept = 0;
		uint64_t ns = h->extra > 0 ? (uint64_t)h->extra : 0;
		w->done += w->count;
		if (w->claims) {
			sched_finish(&r->sched, w->first, w->count);
		} else {
			sched_done(&r->sched, slot, w->first, w->count, ns);
			(void)worker_step(w, WORKER_DONE);
		}
		w->count = 0;
	}
	UNPROTECT(1);
}

void r_call_bury(struct r_pool *r, SEXP handle, size_t slot)
{
	struct worker *w = &r->pool.workers[slot];
	if (w->claims) {
		/* What it had is found in the end: it has no result. */
		w->claims = false;
		w->count = 0;
		sched_leave(&r->sched);
	}
	if (w->count > 0) {
		bool given_up;
		size_t first = w->first;
		int rc = sched_lost(&r->sched, slot, first, w->count, RETRIES,
				    &given_up);
		w->count = 0;
		if (rc < 0)
			r_throw("worker", rc);
		if (given_up) {
			/* What has come of it does not count. */
			SET_VECTOR_ELT(r_call_held(handle, HELD_VALUES),
				       (R_xlen_t)first, R_NilValue);
			add_error(handle, first, slot, R_NilValue, R_NilValue,
				  w->status);
		}
	}
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
