/*
 * A pool whose template is gone gets another one.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "r_call.h"
#include "r_entry.h"
#include "r_pool.h"
#include "r_staged.h"
#include "r_trace.h"

struct adoption {
	struct r_pool *r, *fresh;
	SEXP handle; /* of r */
};

/* Is it at an element that no other worker may run? */
static bool is_bound(const struct r_pool *r, const struct worker *w)
{
	return r->open && w->count > 0 && sched_is_bound(&r->sched, w->first);
}

/* The claims of workers that went with their template. One alone may be what
 * ended it; of several, or of its elements, nobody knows which: from now on
 * there is one at a time. */
static void claims_back(struct r_pool *r, SEXP handle)
{
	size_t claims = r->sched.claims;
	for (size_t i = 0; i < r->pool.n && r->calling; i++) {
		if (claims == 1 || is_bound(r, &r->pool.workers[i])) {
			r->pool.workers[i].status = SIGKILL;
			r_call_bury(r, handle, i);
		} else {
			const struct r_trace_end end = {.slot = i};
			r_trace_death(r, &end);
			r_call_claim_back(r, i);
		}
	}
	if (claims > 0)
		sched_singly(&r->sched);
	int rc = r->calling && r->staged ? r_staged_end(r) : 0;
	if (rc < 0)
		r_throw("template", rc);
}

static SEXP adopt(void *of)
{
	const struct adoption *q = of;
	struct r_pool *r = q->r;
	struct r_pool *f = q->fresh;
	size_t n = r->pool.n;
	int rc = pool_set_setup(&f->pool, r->pool.setup, r->pool.setups);
	if (rc < 0)
		r_throw("template", rc);
	claims_back(r, q->handle);
	/* What was counted goes on. */
	struct worker *before = (struct worker *)R_alloc(n, sizeof(*before));
	memcpy(before, r->pool.workers, n * sizeof(*before));
	pool_close(&r->pool, R_POOL_CLOSE_MS);
	(void)tmpdir_remove(r->base);
	(void)snprintf(r->base, sizeof(r->base), "%s", f->base);
	f->base[0] = '\0';
	r->pool = f->pool;
	f->pool = (struct pool){.watch = -1, .board.fd = -1};
	chan_init(&f->pool.control, -1);
	rc = pool_restart(&r->pool, n);
	for (size_t i = 0; i < r->pool.n && i < n; i++) {
		r->pool.workers[i].done = before[i].done;
		r->pool.workers[i].restarts = before[i].restarts + 1;
	}
	if (rc < 0)
		r_throw("worker", rc);
	return R_NilValue;
}

/* Takes a fresh pool's template over, in place of one that is gone: workers
 * start anew, go through the set-up, and the call goes on. */
SEXP C_pool_adopt(SEXP handle, SEXP fresh)
{
	struct adoption q = {.r = r_pool_get_free(handle),
			     .handle = handle,
			     .fresh = r_pool_get_free(fresh)};
	return r_pool_within(q.r, adopt, &q);
}
