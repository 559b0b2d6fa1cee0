/*
 * A call with an open end: its elements come while it runs, one at a time, and
 * what comes of each is handed over as soon as it is there. C_call_start()
 * begins it, with as many places for elements as it was told that it has, and
 * C_call_finish() ends it. Nothing is staged, nothing is kept.
 *
 * It may outlive an error or an interrupt in the middle of a message: what was
 * being written or read is then lost, and the other elements go on.
 */
#include <errno.h>

#include "chan_read.h"
#include "clock.h"
#include "pool_poll.h"
#include "r_call.h"
#include "r_entry.h"
#include "record.h"

/* token: tells the call from every other. */
static struct r_pool *get_open(SEXP handle, SEXP token)
{
	struct r_pool *r = r_pool_get_free(handle);
	if (!r->calling || r_call_held(handle, HELD_TOKEN) != token)
		r_throw("absent", 0);
	return r;
}

SEXP C_feed_open(SEXP handle, SEXP token)
{
	struct r_pool *r = get_open(handle, token);
	SEXP elements = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)r->sched.n));
	r_call_hold(handle, HELD_ELEMENTS, elements);
	UNPROTECT(1);
	int rc = sched_open(&r->sched);
	if (rc < 0)
		r_throw("call", rc);
	r->open = true;
	return R_NilValue;
}

/* place: what is waited for, as the functions below say. */
struct feeding {
	struct r_pool *r;
	SEXP handle;
	SEXP x;
	size_t slot, place;
	uint64_t deadline;
	bool whole; /* no jump has come in between */
};

/* The element that a worker was given or has answered is over, without a
 * result. */
static void lose(const struct feeding *a, size_t slot, bool ends)
{
	struct r_pool *r = a->r;
	struct worker *w = &r->pool.workers[slot];
	const struct r_failure f = {.element = w->first,
				    .slot = slot,
				    .condition = R_NilValue,
				    .traceback = R_NilValue,
				    .status = -1};
	r->reading = 0;
	w->count = 0;
	sched_done(&r->sched, slot, f.element, 1, 0);
	if (ends && pool_kill_worker(&r->pool, slot) == 0)
		w->expired = f.element + 1;
	r_call_failed(r, a->handle, &f);
}

/* A claim that could not be told: its worker has heard nothing of it, or of a
 * part of it, and is ended. */
static void unsent(void *of)
{
	const struct feeding *a = of;
	for (size_t i = 0; i < a->r->pool.n && !a->whole; i++) {
		struct worker *w = &a->r->pool.workers[i];
		const struct wire_writer *writing = &w->chan.writing;
		if (w->state != WORKER_IDLE || w->count == 0)
			continue;
		bool torn =
			writing->open && (writing->broken_up || writing->stays);
		(void)chan_give_up(&w->chan);
		if (torn) /* not to be given work in the time it has left */
			(void)worker_step(w, WORKER_CLAIMED);
		lose(a, i, torn);
	}
}

static SEXP send(void *of)
{
	struct feeding *a = of;
	a->whole = false;
	r_call_hand_out(a->r, a->handle);
	a->whole = true;
	return R_NilValue;
}

static void hand_out(struct feeding *a)
{
	(void)R_ExecWithCleanup(send, a, unsent, a);
}

/* An answer that could not be read: the rest of it is dropped, and with it,
 * where it has not all come yet, its worker. */
static void unread(void *of)
{
	const struct feeding *a = of;
	struct r_pool *r = a->r;
	if (a->whole || r->reading == 0)
		return;
	size_t slot = r->reading - 1;
	struct worker *w = &r->pool.workers[slot];
	bool told = w->chan.head.kind == WIRE_TOLD;
	bool dropped = chan_finish(&w->chan) == 0;
	if (dropped && !told)
		(void)worker_step(w, WORKER_DONE);
	if (!dropped || !told)
		lose(a, slot, !dropped);
	r->reading = 0;
}

static SEXP receive(void *of)
{
	struct feeding *a = of;
	a->whole = false;
	(void)r_call_take_in(a->r, a->handle, false);
	a->whole = true;
	return R_NilValue;
}

static void take_in(struct feeding *a)
{
	(void)R_ExecWithCleanup(receive, a, unread, a);
}

static SEXP put(void *of)
{
	struct feeding *a = of;
	size_t place;
	if (!sched_put(&a->r->sched, a->slot, &place))
		return R_NilValue;
	SET_VECTOR_ELT(r_call_held(a->handle, HELD_ELEMENTS), (R_xlen_t)place,
		       a->x);
	SEXP number = PROTECT(Rf_ScalarInteger((int)place + 1));
	if (!a->r->pool.lost)
		hand_out(a);
	UNPROTECT(1);
	return number;
}

/* The place of a new element, from 1; NULL: there is none for it. slot: the
 * only node that may run it, from 1; 0: whichever is free. */
SEXP C_feed_put(SEXP handle, SEXP token, SEXP x, SEXP slot)
{
	int only = Rf_asInteger(slot);
	struct feeding a = {.r = get_open(handle, token),
			    .handle = handle,
			    .x = x,
			    .slot = only > 0 ? (size_t)only - 1 : SCHED_ANY};
	return r_pool_within(a.r, put, &a);
}

/* list(places, values, failures, told) of what is over, all of which is let go,
 * and of what was told of elements that are not. A failure is as
 * r_call_failed() has it, `index` its place; told are list(place, object), the
 * last one first.
 */
static SEXP taken(struct r_pool *r, SEXP handle)
{
	R_xlen_t n = (R_xlen_t)r->sched.feed.overs;
	SEXP all = PROTECT(Rf_allocVector(VECSXP, 4));
	SEXP places = PROTECT(Rf_allocVector(INTSXP, n));
	SEXP values = PROTECT(Rf_allocVector(VECSXP, n));
	SET_VECTOR_ELT(all, 0, places);
	SET_VECTOR_ELT(all, 1, values);
	SET_VECTOR_ELT(all, 2, r_call_held(handle, HELD_ERRORS));
	SET_VECTOR_ELT(all, 3, r_call_held(handle, HELD_TOLD));
	SEXP from = r_call_held(handle, HELD_VALUES);
	SEXP elements = r_call_held(handle, HELD_ELEMENTS);
	r_call_hold(handle, HELD_ERRORS, R_NilValue);
	r_call_hold(handle, HELD_TOLD, R_NilValue);
	size_t place;
	for (R_xlen_t i = 0; i < n && sched_take(&r->sched, &place); i++) {
		R_xlen_t at = (R_xlen_t)place;
		INTEGER(places)[i] = (int)place + 1;
		SET_VECTOR_ELT(values, i, VECTOR_ELT(from, at));
		SET_VECTOR_ELT(from, at, R_NilValue);
		SET_VECTOR_ELT(elements, at, R_NilValue);
	}
	UNPROTECT(3);
	return all;
}

/* Is there anything for R to say at once? Then *news is it. */
static bool any_notes(struct r_pool *r, SEXP handle, SEXP *news)
{
	SEXP notes = r_call_held(handle, HELD_NOTES);
	if (notes != R_NilValue) {
		r_call_hold(handle, HELD_NOTES, R_NilValue);
		*news = notes;
		return true;
	}
	if (!r->pool.setup_failed)
		return false;
	r->pool.setup_failed = false;
	*news = Rf_ScalarLogical(TRUE);
	return true;
}

/* Is there what is waited for? All of the element with its worker, or, without
 * one, anything that is over. */
static bool any_news(struct feeding *a, SEXP *news)
{
	struct r_pool *r = a->r;
	*news = R_NilValue;
	if (any_notes(r, a->handle, news))
		return true;
	if (a->place != SCHED_ANY) {
		if (sched_is_done(&r->sched, a->place))
			return true;
		const struct worker *w = r_feed_whose(r, a->place);
		return w && !chan_pending(&w->chan);
	}
	if (r->sched.feed.overs == 0 &&
	    r_call_held(a->handle, HELD_TOLD) == R_NilValue)
		return false;
	/* Who is free by now need not wait for R. */
	hand_out(a);
	*news = taken(r, a->handle);
	return true;
}

static SEXP wait(void *of)
{
	struct feeding *a = of;
	struct r_pool *r = a->r;
	SEXP news;
	for (int ms = 0;;) {
		if (r->pool.lost)
			return Rf_ScalarLogical(FALSE);
		r_pool_replace(r);
		hand_out(a);
		int rc = pool_poll(&r->pool, ms);
		R_CheckUserInterrupt();
		if (rc < 0 && rc != -EINTR)
			return Rf_ScalarLogical(FALSE);
		take_in(a);
		if (any_news(a, &news))
			return news;
		int left = clock_until(a->deadline, CHAN_SLICE);
		if (left == 0 || !sched_goes_on(&r->sched))
			return R_NilValue;
		ms = r_call_expire(r, left);
	}
}

/* What is over, as soon as there is any: as taken() has it. NULL where there is
 * none after so many seconds, or nothing to wait for; FALSE, TRUE and notes as
 * from C_call_wait(). */
SEXP C_feed_wait(SEXP handle, SEXP token, SEXP seconds)
{
	double s = Rf_asReal(seconds);
	struct feeding a = {.r = get_open(handle, token),
			    .handle = handle,
			    .place = SCHED_ANY};
	uint64_t now = clock_now();
	a.deadline = s < 1e9 ? now + clock_seconds(s) : UINT64_MAX;
	return r_pool_within(a.r, wait, &a);
}

/* Waits until all of the element in that place, from 1, has left for a worker:
 * NULL; FALSE, TRUE and notes as from C_call_wait(). */
SEXP C_feed_sent(SEXP handle, SEXP token, SEXP place)
{
	struct feeding a = {.r = get_open(handle, token),
			    .handle = handle,
			    .place = (size_t)Rf_asInteger(place) - 1,
			    .deadline = UINT64_MAX};
	return r_pool_within(a.r, wait, &a);
}

struct worker *r_feed_whose(const struct r_pool *r, size_t place)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		if (w->state == WORKER_BUSY && w->count == 1 &&
		    w->first == place)
			return w;
	}
	return NULL;
}

/* The worker that is at it is to begin no further step of it: how many it has
 * begun. NULL where nobody can say: it has no steps, or not yet, or is over. */
SEXP C_feed_cut(SEXP handle, SEXP token, SEXP place)
{
	struct r_pool *r = get_open(handle, token);
	size_t element = (size_t)Rf_asInteger(place) - 1;
	const struct worker *w = r_feed_whose(r, element);
	struct record *record = w ? link_record(&w->chan.link) : NULL;
	size_t running;
	uint64_t since;
	uint32_t begun;
	if (record && record_running(record, r->number, &running, &since) &&
	    running == element && record_cut(record, &begun))
		return Rf_ScalarInteger((int)begun);
	return R_NilValue;
}

/* Nobody waits for the element in that place any more: a worker that is at it
 * is ended. What comes of it is over like any other. */
SEXP C_feed_drop(SEXP handle, SEXP token, SEXP place)
{
	struct r_pool *r = get_open(handle, token);
	size_t element = (size_t)Rf_asInteger(place) - 1;
	const struct r_failure f = {.element = element,
				    .condition = R_NilValue,
				    .traceback = R_NilValue,
				    .status = -1};
	if (sched_withdraw(&r->sched, element)) {
		r_call_failed(r, handle, &f);
		return R_NilValue;
	}
	struct worker *w = r_feed_whose(r, element);
	if (w && w->expired == 0 &&
	    pool_kill_worker(&r->pool, (size_t)(w - r->pool.workers)) == 0)
		w->expired = element + 1;
	return R_NilValue;
}

/* Ends it, unless somebody is in the middle of it. */
SEXP C_feed_close(SEXP handle, SEXP token)
{
	const struct r_pool *r = r_pool_address(handle);
	if (r && r->inside)
		r_throw("busy", 0);
	return C_call_finish(handle, token);
}
