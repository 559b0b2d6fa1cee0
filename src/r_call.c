/*
 * A call: stage, claim, result, done, lost, by messages.
 *
 * R drives: C_call_wait() returns whenever there are conditions to relay, and
 * NULL at the end. Whatever jumps out of here leaves the call to
 * C_call_finish(), which replaces the workers that are still at it.
 */
#include "r_call.h"

#include <errno.h>
#include <limits.h>

#include "chan_read.h"
#include "clock.h"
#include "pool_poll.h"
#include "r_codec.h"
#include "r_entry.h"
#include "r_staged.h"
#include "r_stream.h"
#include "r_trace.h"

/* For workers at work when a call is given up, to leave it. */
enum { GRACE_MS = 500 };

SEXP r_call_held(SEXP handle, enum r_call_held what)
{
	return VECTOR_ELT(R_ExternalPtrProtected(handle), what);
}

void r_call_hold(SEXP handle, enum r_call_held what, SEXP x)
{
	SET_VECTOR_ELT(R_ExternalPtrProtected(handle), what, x);
}

int r_call_worker_goes_on(void *peer)
{
	const struct r_peer *p = peer;
	R_CheckUserInterrupt();
	struct worker *w = &p->r->pool.workers[p->slot];
	if (w->died)
		return -EPIPE; /* seen before; all it wrote has been read */
	int rc = pool_poll(&p->r->pool, 0);
	return rc == -EINTR ? 0 : rc;
}

/* starts: NULL, or the first element of every chunk, from 0, and n. */
static int fix(struct sched *s, SEXP starts)
{
	if (starts == R_NilValue)
		return 0;
	size_t n = (size_t)Rf_xlength(starts);
	size_t *at = (size_t *)R_alloc(n, sizeof(*at));
	for (size_t i = 0; i < n; i++)
		at[i] = (size_t)REAL(starts)[i];
	return sched_fix(s, at, n - 1);
}

struct start {
	struct r_pool *r;
	SEXP starts;
	size_t n;
};

/* Do nodes have the function from the last call that kept one, and is there
 * nothing else to tell them? */
static bool is_kept(const struct r_pool *r, SEXP handle, SEXP constant)
{
	return r->kept > 0 &&
	       VECTOR_ELT(constant, 1) == R_ExternalPtrTag(handle) &&
	       r->kept_kind == r->kind &&
	       Rf_xlength(VECTOR_ELT(constant, 2)) == 0 &&
	       VECTOR_ELT(constant, 3) == R_NilValue;
}

static SEXP start(void *of)
{
	const struct start *a = of;
	struct r_pool *r = a->r;
	/* Who has died since the last call gets no work of this one. */
	pool_look(&r->pool);
	int rc = sched_init(&r->sched, a->n, r->pool.n);
	/* What cannot be seen from here is timed from claim to result, and what
	 * cannot be reached is stopped between two claims. */
	r->sched.single = (r->timeout > 0 || r->stops) && !r->pool.shares;
	if (rc == 0)
		rc = fix(&r->sched, a->starts);
	if (rc < 0)
		r_throw("call", rc);
	return R_NilValue;
}

/* c(seconds of an element, retries, stop at the first failure?, seconds between
 * news of progress); the last may be left out. */
static void set_limits(struct r_pool *r, SEXP limits)
{
	const double *x = REAL(limits);
	r->timeout = R_FINITE(x[0]) ? clock_seconds(x[0]) + 1 : 0; /* 0: none */
	r->retries = x[1] < UINT_MAX ? (unsigned)x[1] : UINT_MAX;
	r->stops = x[2] != 0;
	r->blind = 0;
	r->tells = Rf_xlength(limits) > 3 ? clock_seconds(x[3]) : 0;
	r->tell_at = 0; /* once at the beginning */
}

/* plan: list(first elements of chunks or NULL, limits) */
SEXP C_call_start(SEXP handle, SEXP token, SEXP constant, SEXP elements, SEXP n,
		  SEXP plan)
{
	SEXP starts = VECTOR_ELT(plan, 0);
	size_t size = (size_t)Rf_asReal(n);
	bool traced = r_trace_on();
	uint64_t begin = traced ? clock_now() : 0;
	PROTECT(constant = traced ? r_trace_constant(constant) : constant);
	SEXP all = PROTECT(Rf_allocVector(VECSXP, HELD));
	SEXP values = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)size));
	SET_VECTOR_ELT(all, HELD_CONSTANT, constant);
	SET_VECTOR_ELT(all, HELD_ELEMENTS, elements);
	SET_VECTOR_ELT(all, HELD_TOKEN, token);
	SET_VECTOR_ELT(all, HELD_VALUES, values);
	/* From here to `calling` nothing is allocated: no finalizer comes in
	 * between. */
	struct r_pool *r = r_pool_get_free(handle);
	if (r->calling)
		r_throw("busy", 0);
	R_SetExternalPtrProtected(handle, all);
	r->calling = true;
	r->number = r->number == INT32_MAX ? 1 : r->number + 1;
	r->kind = (enum call_kind)Rf_asInteger(VECTOR_ELT(constant, 0));
	r->doing = NULL;
	set_limits(r, VECTOR_ELT(plan, 1));
	r->same = is_kept(r, handle, constant);
	r->staged_tried = r->open = false;
	r->reading = 0;
	load_begin(&r->load);
	struct start a = {r, starts, size};
	(void)r_pool_within(r, start, &a);
	if (traced)
		r_trace_call(r, begin);
	UNPROTECT(3);
	return values; /* held by the handle */
}

struct wait {
	struct r_pool *r;
	SEXP handle;
	bool quick; /* nothing is serialized, nor unserialized */
};

static SEXP wait(void *of)
{
	const struct wait *a = of;
	struct r_pool *r = a->r;
	int ms = 0;
	/* Also until they have said so who had nothing left to claim. */
	while (sched_goes_on(&r->sched)) {
		if (!r->pool.lost) {
			r_pool_replace(r);
			r_call_hand_out(r, a->handle);
		}
		int rc = pool_poll(&r->pool, ms);
		R_CheckUserInterrupt();
		if (rc < 0 && rc != -EINTR)
			return Rf_ScalarLogical(FALSE);
		if (!r_call_take_in(r, a->handle, a->quick))
			return Rf_ScalarLogical(FALSE);
		ms = r->holds_back ? load_wait(&r->load, CHAN_SLICE)
				   : CHAN_SLICE;
		ms = r_progress_wait(r, r_call_expire(r, ms));
		SEXP notes = r_call_held(a->handle, HELD_NOTES);
		if (notes != R_NilValue) {
			r_call_hold(a->handle, HELD_NOTES, R_NilValue);
			return notes;
		}
		if (r->pool.setup_failed) {
			r->pool.setup_failed = false;
			return Rf_ScalarLogical(TRUE);
		}
		notes = r_progress_due(r, a->handle);
		if (notes != R_NilValue)
			return notes;
	}
	return R_NilValue;
}

static SEXP wait_for(SEXP handle, bool quick)
{
	struct wait a = {r_pool_get_free(handle), handle, quick};
	if (!a.r->calling)
		r_throw("absent", 0);
	return r_pool_within(a.r, wait, &a);
}

/* NULL when all is done, FALSE when the template is gone, TRUE when a
 * replacement has failed in its set-up; numbers: how far it is; else a list of
 * notes to relay, by claim. */
SEXP C_call_wait(SEXP handle)
{
	return wait_for(handle, false);
}

/* The same where no R object has to be serialized to begin with, so that no
 * error can come of it, as far as that goes: what is not done by then, and
 * whether there is anything left to relay, C_call_wait() tells. */
SEXP C_call_quick(SEXP handle)
{
	const struct r_pool *r = r_pool_get(handle);
	if (!r->same || r->kind == CALL_EACH ||
	    !codec_fits(r_call_held(handle, HELD_ELEMENTS), SIZE_MAX))
		return Rf_ScalarLogical(FALSE);
	return wait_for(handle, true);
}

/* The whole messages of a worker, dropped; no time for a long one. One that was
 * given up is followed by another, one of a worker that claims by itself too.
 */
static void drop_answers(struct worker *w)
{
	struct wire_head h;
	while (w->state == WORKER_BUSY && chan_head(&w->chan, &h) == 0 &&
	       chan_whole(&w->chan)) {
		bool more = w->chan.failed || (w->claims && h.count > 0);
		if (chan_finish(&w->chan) == 0 && !more)
			(void)worker_step(w, WORKER_DONE);
	}
}

/* After an error or an interrupt: workers that let themselves be interrupted
 * may stay, their answers are dropped. */
static void let_finish(struct r_pool *r)
{
	uint64_t deadline = clock_now() + (uint64_t)GRACE_MS * 1000000u;
	int ms;
	for (size_t i = 0; i < r->pool.n; i++)
		if (pool_interrupt_worker(&r->pool, i, r->number) < 0)
			return; /* without memory, or its template, it ends */
	while (pool_count(&r->pool, WORKER_BUSY) > 0 &&
	       (ms = clock_until(deadline, GRACE_MS)) > 0) {
		int rc = pool_poll(&r->pool, ms);
		if (rc < 0 && rc != -EINTR)
			return;
		for (size_t i = 0; i < r->pool.n; i++)
			drop_answers(&r->pool.workers[i]);
	}
}

/* Ends the call, finished or not, if it is that one. The errors, the last one
 * first. */
SEXP C_call_finish(SEXP handle, SEXP token)
{
	struct r_pool *r = r_pool_address(handle);
	if (!r || !pool_alive(&r->pool) || !r->calling ||
	    r_call_held(handle, HELD_TOKEN) != token)
		return R_NilValue;
	r->calling = false;
	r_trace_cut(r);
	r_staged_drop(r);
	let_finish(r);
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct wire_head h = {.kind = WIRE_END, .call = r->number};
		if (r->kept > 0 && w->kept == r->kept)
			h.flags |= WIRE_KEEP;
		bool torn = w->chan.writing.open && w->chan.writing.broken_up;
		(void)chan_give_up(&w->chan);
		/* Not to be given work in the time it has left. */
		if (torn && worker_free(w))
			(void)worker_step(w, WORKER_CLAIMED);
		if (w->state == WORKER_BUSY || torn)
			(void)pool_kill_worker(&r->pool, i);
		else if (w->call == r->number && chan_say(&w->chan, &h) == 0)
			(void)chan_flush(&w->chan);
		/* One that is being killed is so in the next call, too. */
		w->call = 0;
		w->count = 0;
		w->claims = false;
	}
	blob_unref(r->call);
	r->call = NULL;
	buf_clear(&r->staging);
	SEXP errors = r_call_held(handle, HELD_ERRORS);
	r_trace_over(r, errors != R_NilValue);
	R_SetExternalPtrProtected(handle, R_NilValue);
	sched_release(&r->sched);
	return errors;
}

/* What the call was at when an error came out of it. */
SEXP C_call_doing(SEXP handle)
{
	const struct r_pool *r = r_pool_address(handle);
	return Rf_mkString(r && r->doing ? r->doing : "");
}

static void free_blob(SEXP x)
{
	/* Memory alone: fine in any process. */
	blob_unref((struct blob *)R_ExternalPtrAddr(x));
	R_ClearExternalPtr(x);
}

/* The call's message, to be kept for replacements. */
SEXP C_call_blob(SEXP handle)
{
	struct r_pool *r = r_pool_get(handle);
	SEXP x = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizerEx(x, free_blob, FALSE);
	if (r->call)
		R_SetExternalPtrAddr(x, blob_ref(r->call));
	UNPROTECT(1);
	return x;
}
