/*
 * How a call ends before its time, or an element does: failures, the first of
 * which may end the call, and time limits.
 */
#include "clock.h"
#include "r_call.h"
#include "r_entry.h"
#include "r_staged.h"

/* list(index, node, ...) in front of those held already. */
void r_call_failed(struct r_pool *r, SEXP handle, const struct r_failure *f)
{
	static const char *const names[] = {"index",	 "node",   "parent",
					    "traceback", "status", "expired",
					    ""};
	SEXP e = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	SET_VECTOR_ELT(e, 0, Rf_ScalarReal((double)f->element + 1));
	SET_VECTOR_ELT(e, 1, Rf_ScalarInteger((int)f->slot + 1));
	SET_VECTOR_ELT(e, 2, f->condition);
	SET_VECTOR_ELT(e, 3, f->traceback);
	SET_VECTOR_ELT(e, 4, Rf_ScalarInteger(f->status));
	SET_VECTOR_ELT(e, 5, Rf_ScalarLogical(f->expired));
	r_call_hold(handle, HELD_ERRORS,
		    Rf_cons(e, r_call_held(handle, HELD_ERRORS)));
	UNPROTECT(1);
	if (r->stops && !r->sched.stopped)
		r_call_stop(r);
}

void r_call_stop(struct r_pool *r)
{
	r_staged_drop(r);
	sched_stop(&r->sched);
	for (size_t i = 0; i < r->pool.n; i++)
		pool_stop_worker(&r->pool, i, r->number);
}

bool r_call_running(const struct r_pool *r, const struct worker *w,
		    size_t *element, uint64_t *since)
{
	const struct record *record = link_record(&w->chan.link);
	size_t first = w->claims ? 0 : w->first;
	size_t count = w->claims ? r->staged_n : w->count;
	if (record && record_running(record, r->number, element, since))
		return *element >= first && *element - first < count &&
		       !sched_is_done(&r->sched, *element);
	*element = w->first;
	/* Where there is a record, it has not begun, or is over. */
	*since = record ? UINT64_MAX : w->told;
	return count == 1 && !w->claims;
}

int r_call_expire(struct r_pool *r, int ms)
{
	uint64_t now = clock_now();
	if (r->timeout == 0)
		return ms;
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		size_t element;
		uint64_t since;
		if (w->state != WORKER_BUSY || w->died || w->expired > 0 ||
		    !r_call_running(r, w, &element, &since) ||
		    since == UINT64_MAX)
			continue;
		if (since + r->timeout > now)
			ms = clock_until(since + r->timeout, ms);
		else if (pool_kill_worker(&r->pool, i) == 0)
			w->expired = element + 1;
	}
	/* One that begins right now: its end is seen in time, or nearly. */
	int soon = clock_until(now + r->timeout, ms);
	return soon < ms ? soon : ms;
}

/* Are the options that a call's choices come from by default all unset? Looked
 * through once: Rf_GetOption1() would do it for each. */
SEXP C_choice_none(void)
{
	static const char *const names[] = {"pool.timeout", "pool.retries",
					    "pool.seed", "pool.on_error",
					    "pool.progress"};
	enum { N = sizeof(names) / sizeof(names[0]) };
	static SEXP symbols[N];
	if (!symbols[0])
		for (size_t k = N; k-- > 0;)
			symbols[k] = Rf_install(names[k]);
	SEXP all = Rf_eval(Rf_install(".Options"), R_BaseEnv);
	for (; TYPEOF(all) == LISTSXP; all = CDR(all))
		for (size_t k = 0; k < N; k++)
			if (TAG(all) == symbols[k])
				return Rf_ScalarLogical(FALSE);
	return Rf_ScalarLogical(all == R_NilValue);
}
