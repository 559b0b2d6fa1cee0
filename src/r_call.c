/*
 * A call: stage, claim, result, done, lost, by messages.
 *
 * A worker that is free is given a range (told first what to do with it, once a
 * call); its result is the request for the next. R drives: C_call_wait()
 * returns whenever there are conditions to relay, and NULL at the end. The R
 * objects of the call hang on the handle; whatever jumps out of here leaves the
 * call to C_call_finish(), which replaces the workers that are still at it.
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "r_entry.h"
#include "r_pool.h"
#include "r_stream.h"

enum {
	RETRIES = 2,
	GRACE_MS = 100, /* for workers at work when a call is given up */
};

/* The handle's protected list. */
enum {
	HELD_CONSTANT,
	HELD_ELEMENTS,
	HELD_VALUES,
	HELD_ERRORS,
	HELD_NOTES,
	HELD_TOKEN, /* tells the call from one made inside it */
	HELD
};

static SEXP held(SEXP handle, int i)
{
	return VECTOR_ELT(R_ExternalPtrProtected(handle), i);
}

static void hold(SEXP handle, int i, SEXP x)
{
	SET_VECTOR_ELT(R_ExternalPtrProtected(handle), i, x);
}

struct peer {
	struct r_pool *r;
	size_t slot;
};

/* While a worker keeps us waiting in the middle of a message. */
static int worker_goes_on(void *of)
{
	struct peer *p = of;
	R_CheckUserInterrupt();
	struct worker *w = &p->r->pool.workers[p->slot];
	if (w->died)
		return -EPIPE; /* seen before; all it wrote has been read */
	int rc = pool_poll(&p->r->pool, 0);
	return rc == -EINTR ? 0 : rc;
}

/* ---- stage ---- */

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

static int tell_call(struct r_pool *r, SEXP handle, struct peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	int rc;
	if (r->call) {
		rc = chan_queue(&w->chan, r->call);
	} else {
		struct wire_head h = {.kind = WIRE_CALL, .call = r->number};
		struct r_patience patience = {worker_goes_on, p};
		r->doing = "constant";
		rc = r_stream_write(&w->chan, &h, held(handle, HELD_CONSTANT),
				    &patience);
	}
	if (rc == 0)
		w->call = r->number;
	return rc;
}

static int tell_range(struct r_pool *r, SEXP handle, struct peer *p)
{
	struct worker *w = &r->pool.workers[p->slot];
	bool more = sched_more(&r->sched, p->slot);
	struct wire_head h = {.kind = WIRE_RANGE,
			      .flags = more ? 0 : WIRE_LAST,
			      .call = r->number,
			      .first = w->first,
			      .count = w->count};
	if (r->kind == CALL_EACH) {
		int rc = chan_say(&w->chan, &h);
		if (rc < 0)
			return rc;
	} else {
		struct r_patience patience = {worker_goes_on, p};
		r->doing = "elements";
		SEXP x = PROTECT(staged(r, held(handle, HELD_ELEMENTS),
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
static void hand_out(struct r_pool *r, SEXP handle)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct peer p = {r, i};
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

/* ---- result ---- */

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
	struct peer p = {r, slot};
	struct worker *w = &r->pool.workers[slot];
	struct reading a = {&w->chan, {worker_goes_on, &p}};
	if (chan_whole(&w->chan))
		return read_body(&a);
	SEXP x = R_tryCatchError(read_body, &a, read_failed, NULL);
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
	hold(handle, HELD_ERRORS, Rf_cons(e, held(handle, HELD_ERRORS)));
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
			hold(handle, HELD_NOTES,
			     Rf_cons(notes, held(handle, HELD_NOTES)));
	}
	SEXP all = held(handle, HELD_VALUES);
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

/* ---- lost ---- */

static void bury(struct r_pool *r, SEXP handle, size_t slot)
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

static void take_in(struct r_pool *r, SEXP handle)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct wire_head h;
		int rc = w->state == WORKER_BUSY ? chan_head(&w->chan, &h)
						 : -EAGAIN;
		if (rc == 0 && (chan_whole(&w->chan) ||
				chan_buffered(&w->chan) >= CHAN_CHUNK))
			collect(r, handle, i, &h);
		else if (rc < 0 && rc != -EAGAIN)
			r_throw("answer", rc);
		if (w->state == WORKER_GONE)
			bury(r, handle, i);
	}
}

/* ---- from R ---- */

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

SEXP C_call_start(SEXP handle, SEXP token, SEXP constant, SEXP elements, SEXP n,
		  SEXP starts)
{
	struct r_pool *r = r_pool_get(handle);
	if (r->calling)
		r_throw("busy", 0);
	size_t size = (size_t)Rf_asReal(n);
	SEXP all = PROTECT(Rf_allocVector(VECSXP, HELD));
	SET_VECTOR_ELT(all, HELD_CONSTANT, constant);
	SET_VECTOR_ELT(all, HELD_ELEMENTS, elements);
	SET_VECTOR_ELT(all, HELD_TOKEN, token);
	SET_VECTOR_ELT(all, HELD_VALUES,
		       Rf_allocVector(VECSXP, (R_xlen_t)size));
	R_SetExternalPtrProtected(handle, all);
	UNPROTECT(1);
	sched_release(&r->sched);
	blob_unref(r->call);
	r->call = NULL;
	r->number = r->number == UINT32_MAX ? 1 : r->number + 1;
	r->kind = (enum call_kind)Rf_asInteger(VECTOR_ELT(constant, 0));
	r->doing = NULL;
	int rc = sched_init(&r->sched, size, r->pool.n);
	if (rc == 0)
		rc = fix(&r->sched, starts);
	if (rc < 0)
		r_throw("call", rc);
	if (size > 1 || r->kind == CALL_EACH) {
		struct wire_head h = {.kind = WIRE_CALL, .call = r->number};
		r->call = blob_new();
		r->doing = "constant";
		rc = r->call ? r_stream_write_blob(r->call, &h, constant)
			     : -ENOMEM;
		r->doing = NULL;
		if (rc < 0)
			r_throw("call", rc);
	}
	r->calling = true;
	return held(handle, HELD_VALUES);
}

/* NULL when all is done, FALSE when the template is gone; else a list of notes
 * to relay, by claim. */
SEXP C_call_wait(SEXP handle)
{
	struct r_pool *r = r_pool_get(handle);
	if (!r->calling)
		r_throw("absent", 0);
	int ms = 0;
	r->inside = true;
	while (r->sched.left > 0) {
		if (!r->pool.lost) {
			r_pool_replace(r);
			hand_out(r, handle);
		}
		int rc = pool_poll(&r->pool, ms);
		R_CheckUserInterrupt();
		if (rc < 0 && rc != -EINTR) {
			r->inside = false;
			return Rf_ScalarLogical(FALSE);
		}
		take_in(r, handle);
		ms = CHAN_SLICE;
		SEXP notes = held(handle, HELD_NOTES);
		if (notes != R_NilValue) {
			hold(handle, HELD_NOTES, R_NilValue);
			r->inside = false;
			return notes;
		}
	}
	r->inside = false;
	return R_NilValue;
}

/* After an error: workers that are nearly done may stay, their answers are
 * dropped. */
static void let_finish(struct r_pool *r)
{
	uint64_t deadline = clock_now() + (uint64_t)GRACE_MS * 1000000u;
	int ms;
	while (pool_count(&r->pool, WORKER_BUSY) > 0 &&
	       (ms = clock_until(deadline, GRACE_MS)) > 0) {
		int rc = pool_poll(&r->pool, ms);
		if (rc < 0 && rc != -EINTR)
			return;
		for (size_t i = 0; i < r->pool.n; i++) {
			struct worker *w = &r->pool.workers[i];
			struct wire_head h;
			if (w->state == WORKER_BUSY &&
			    chan_head(&w->chan, &h) == 0 &&
			    chan_finish(&w->chan) == 0)
				(void)worker_step(w, WORKER_DONE);
		}
	}
}

/* Ends the call, finished or not, if it is that one. The errors, the last one
 * first. */
SEXP C_call_finish(SEXP handle, SEXP token)
{
	struct r_pool *r = r_pool_address(handle);
	if (!r || !pool_alive(&r->pool) || !r->calling ||
	    held(handle, HELD_TOKEN) != token)
		return R_NilValue;
	r->calling = r->inside = false;
	let_finish(r);
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		struct wire_head h = {.kind = WIRE_END, .call = r->number};
		bool torn = w->chan.writing.open && w->chan.writing.broken_up;
		(void)chan_give_up(&w->chan);
		if (w->state == WORKER_BUSY || torn)
			(void)pool_kill_worker(&r->pool, i);
		else if (w->call == r->number && chan_say(&w->chan, &h) == 0)
			(void)chan_flush(&w->chan);
		w->call = 0;
		w->count = 0;
	}
	blob_unref(r->call);
	r->call = NULL;
	SEXP errors = held(handle, HELD_ERRORS);
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
