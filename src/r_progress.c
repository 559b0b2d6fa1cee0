/*
 * How far a call is, told while it runs: where that is asked for, the wait for
 * results comes back to R every so often.
 */
#include "clock.h"
#include "r_call.h"

/* Elements of ranges that are at work, as far as workers have come. */
static size_t under_way(const struct r_pool *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->pool.n; i++) {
		const struct worker *w = &r->pool.workers[i];
		size_t element;
		uint64_t since;
		if (w->state == WORKER_BUSY && !w->claims && w->count > 1 &&
		    r_call_running(r, w, &element, &since))
			n += element - w->first;
	}
	return n;
}

SEXP r_progress_due(struct r_pool *r, SEXP handle)
{
	uint64_t now;
	if (r->tells == 0 || (now = clock_now()) < r->tell_at)
		return R_NilValue;
	r->tell_at = now + r->tells;
	SEXP told = Rf_allocVector(REALSXP, 3);
	size_t done = r->sched.n - r->sched.left + under_way(r);
	REAL(told)[0] = (double)(done < r->sched.n ? done : r->sched.n);
	REAL(told)[1] = (double)r->sched.n;
	REAL(told)[2] = (double)Rf_length(r_call_held(handle, HELD_ERRORS));
	return told;
}

int r_progress_wait(const struct r_pool *r, int ms)
{
	return r->tells > 0 ? clock_until(r->tell_at, ms) : ms;
}
