/*
 * Stage and claim: what a free worker is sent.
 *
 * A worker is told once what to do (CALL), then given ranges of elements; its
 * result is the request for the next. A write that fails is left to the news of
 * the worker's death, which brings its elements back.
 */
#include <errno.h>

#include <Rversion.h>

#include "clock.h"
#include "r_call.h"
#include "r_part.h"
#include "r_staged.h"
#include "r_stream.h"
#include "r_trace.h"

/* Does the worker have the function already? */
static bool has_function(const struct r_pool *r, const struct worker *w)
{
	return r->same && w->kept == r->kept;
}

/* A package that a node does not have today it may have tomorrow. */
static bool is_stable(SEXP fun)
{
	if (TYPEOF(fun) != CLOSXP)
		return true;
#if R_VERSION >= R_Version(4, 5, 0)
	SEXP env = R_ClosureEnv(fun);
#else
	SEXP env = CLOENV(fun);
#endif
	return env == R_GlobalEnv || env == R_BaseNamespace || env == R_BaseEnv;
}

/* The constant part has been serialized; `alone`: no environment, nor anything
 * else that has an identity, came with it. Then the next call with that
 * function need not send it again. */
static void keep(struct r_pool *r, SEXP handle, bool alone)
{
	SEXP constant = r_call_held(handle, HELD_CONSTANT);
	SEXP fun = VECTOR_ELT(constant, 1);
	alone = alone && Rf_xlength(VECTOR_ELT(constant, 2)) == 0 &&
		VECTOR_ELT(constant, 3) == R_NilValue && is_stable(fun);
	R_SetExternalPtrTag(handle, alone ? fun : R_NilValue);
	r->kept = alone ? r->number : 0;
	r->kept_kind = r->kind;
}

static int write_call(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct wire_head h = {.kind = WIRE_CALL, .call = r->number};
	SEXP constant = r_call_held(handle, HELD_CONSTANT);
	bool alone = true;
	int rc = 0;
	r->doing = "constant";
	if (r->sched.n > 1 || r->kind == CALL_EACH) {
		r->call = blob_new();
		rc = r->call ? r_stream_write_blob(r->call, &h, constant,
						   r->pool.shares, &alone)
			     : -ENOMEM;
		if (rc < 0)
			r_throw("call", rc);
	} else {
		struct r_patience patience = {r_call_worker_goes_on, p};
		struct worker *w = &r->pool.workers[p->slot];
		rc = r_stream_write(&w->chan, &h, constant, &patience, &alone);
	}
	if (!r->same)
		keep(r, handle, alone);
	return rc;
}

static int tell_call(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	w->kept = 0; /* also where an error comes in between */
	int rc = r->call ? 0 : write_call(r, handle, p);
	if (rc == 0 && r->call) {
		rc = chan_queue(&w->chan, r->call);
		if (rc == 0)
			rc = chan_flush(&w->chan);
		rc = rc == -EAGAIN ? 0 : rc;
	}
	if (rc == 0)
		w->kept = r->kept;
	return rc;
}

static int tell_range(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	bool more = r->open || sched_more(&r->sched, p->slot);
	struct wire_head h = {.kind = WIRE_RANGE,
			      .flags = more ? 0 : WIRE_LAST,
			      .call = r->number,
			      .first = w->first,
			      .count = w->count};
	if (pool_has_cores(&r->pool, 1))
		h.flags |= WIRE_AWAKE;
	if (r->kept > 0)
		h.flags |= WIRE_KEEP;
	if (r->open)
		h.flags |= WIRE_HEARS;
	if (r->kind == CALL_EACH) {
		int rc = chan_say(&w->chan, &h);
		if (rc < 0)
			return rc;
	} else {
		struct r_patience patience = {r_call_worker_goes_on, p};
		r->doing = "elements";
		SEXP x = PROTECT(r_part(r_call_held(handle, HELD_ELEMENTS),
					r->kind == CALL_MAP, w->first,
					w->count));
		int rc = r_stream_write(&w->chan, &h, x, &patience, NULL);
		UNPROTECT(1);
		if (rc < 0)
			return rc;
	}
	if (!more)
		w->call = 0;
	int rc = chan_flush(&w->chan);
	return rc == -EAGAIN ? 0 : rc;
}

/* The worker claims by itself, from what is staged. */
static int tell_stage(struct r_pool *r, struct worker *w)
{
	int rc = chan_queue(&w->chan, r->staged);
	if (rc < 0)
		return rc;
	w->claims = true;
	w->count = 0;
	sched_join(&r->sched);
	if (r->staged_n == r->sched.n)
		w->call = 0; /* it is dropped with the last element */
	rc = chan_flush(&w->chan);
	return rc == -EAGAIN ? 0 : rc;
}

/* Once all that is staged has been claimed, and nobody is at it any more, what
 * has no result is lost. */
static void end_stage(struct r_pool *r)
{
	if (!r->staged || r_staged_more(r))
		return;
	for (size_t i = 0; i < r->pool.n; i++)
		if (r->pool.workers[i].claims)
			return;
	int rc = r_staged_end(r);
	if (rc < 0)
		r_throw("call", rc);
}

/* More workers would not help: nobody waits for one in particular, and those at
 * work use the cores. */
static bool is_crowded(struct r_pool *r)
{
	return r->kind != CALL_EACH && r->sched.chunks == 0 && !r->open &&
	       load_is_full(&r->load, &r->pool);
}

static bool has_work(const struct r_pool *r, size_t slot)
{
	return r_staged_more(r) || sched_more(&r->sched, slot);
}

static int tell(struct r_pool *r, SEXP handle, struct r_peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	bool told = w->call == r->number || has_function(r, w);
	int rc = told ? 0 : tell_call(r, handle, p);
	w->call = r->number;
	if (rc < 0)
		return rc;
	if (!r->staged_tried && !r->open) {
		r->staged_tried = true;
		r_staged_make(r, handle);
	}
	return 0;
}

/* Gives every free worker a claim. A worker that dies meanwhile keeps its
 * claim: the news of its death brings the elements back. */
void r_call_hand_out(struct r_pool *r, SEXP handle)
{
	end_stage(r);
	r->holds_back = false;
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct r_peer p = {r, i};
		/* One that is being killed would take its claim along. */
		if (!worker_free(w) || w->expired > 0 || !has_work(r, i))
			continue;
		r->holds_back = is_crowded(r);
		if (r->holds_back)
			break;
		uint64_t began = r_trace_now(r);
		int rc = tell(r, handle, &p);
		/* One that is gone has claimed nothing. */
		if (rc == 0 && r_staged_more(r)) {
			rc = tell_stage(r, w);
		} else if (rc == 0) {
			if (!sched_claim(&r->sched, i, &w->first, &w->count)) {
				r->doing = NULL;
				continue;
			}
			rc = tell_range(r, handle, &p);
		}
		r->doing = NULL;
		r_trace_did(r, TRACE_SEND, i, began);
		w->told = r->timeout > 0 ? clock_now() : 0;
		(void)worker_step(w, WORKER_CLAIMED);
		if (rc < 0 && rc != -EPIPE)
			r_throw("worker", rc);
	}
}
