/*
 * The session's pool as R holds it: starting and closing it, and its nodes.
 *
 * Wrapper first, then acquire: everything acquired hangs on the external
 * pointer at once, so that a jump leaves it to the finalizer.
 */
#include "r_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "pool_poll.h"
#include "proc.h"
#include "r_call.h"
#include "r_entry.h"
#include "r_large.h"
#include "r_node.h"
#include "r_staged.h"
#include "r_stream.h"
#include "r_trace.h"

enum {
	STILLBORN = 8, /* replacements in a row that may die in the set-up */
};

struct r_pool *r_pool_address(SEXP handle)
{
	return TYPEOF(handle) == EXTPTRSXP
		       ? (struct r_pool *)R_ExternalPtrAddr(handle)
		       : NULL;
}

static void release(struct r_pool *r)
{
	sched_release(&r->sched);
	blob_unref(r->call);
	r->call = NULL;
	r_staged_drop(r);
	buf_release(&r->staging);
	/* One that has not come up by now does not listen. */
	pool_close(&r->pool, r->pool.answered > 0 ? R_POOL_CLOSE_MS : 0);
	/* The template has done so, unless it was killed. */
	(void)tmpdir_remove(r->base);
	r->base[0] = '\0';
}

static void finalize(SEXP handle)
{
	struct r_pool *r = r_pool_address(handle);
	if (!r)
		return;
	R_ClearExternalPtr(handle);
	/* In a fork the pool is the parent's: leave even its memory alone. */
	if (r->owner != proc_self())
		return;
	release(r);
	free(r);
}

struct r_pool *r_pool_get(SEXP handle)
{
	struct r_pool *r = r_pool_address(handle);
	if (!r || !pool_alive(&r->pool))
		r_throw("absent", 0);
	return r;
}

struct r_pool *r_pool_get_free(SEXP handle)
{
	struct r_pool *r = r_pool_get(handle);
	if (r->inside)
		r_throw("busy", 0);
	return r;
}

static void leave(void *of)
{
	struct r_pool *r = of;
	r->inside = false;
	if (r->pool.control.writing.open && chan_give_up(&r->pool.control) == 0)
		(void)chan_flush(&r->pool.control);
}

SEXP r_pool_within(struct r_pool *r, SEXP (*body)(void *), void *of)
{
	r->inside = true;
	return R_ExecWithCleanup(body, of, leave, r);
}

SEXP C_pool_alive(SEXP handle)
{
	const struct r_pool *r = r_pool_address(handle);
	return Rf_ScalarLogical(r && pool_alive(&r->pool));
}

void r_pool_poll(struct r_pool *r, int ms)
{
	int rc = pool_poll(&r->pool, ms);
	if (rc < 0 && rc != -EINTR)
		r_throw("template", rc);
	R_CheckUserInterrupt();
}

void r_pool_replace(struct r_pool *r)
{
	for (size_t i = 0; i < r->pool.n; i++) {
		struct worker *w = &r->pool.workers[i];
		if (w->state != WORKER_GONE && w->state != WORKER_NONE)
			continue;
		if (w->claims || w->count > 0)
			continue; /* to be buried first, or its claim is lost */
		int rc = w->state == WORKER_NONE ? w->status : 0;
		w->status = 0;
		if (w->stillborn > STILLBORN) {
			w->stillborn = 0;
			r_throw("setup", 0);
		}
		if (rc == 0)
			rc = pool_start_worker(&r->pool, i);
		if (rc < 0)
			r_throw("worker", rc);
		r_trace_did(r, TRACE_START, i, 0);
	}
}

/* Waits for the answer to the last STATE, or to none: the template is up. An
 * earlier one, given up in the middle by an error, is answered too. */
static void wait_for_answer(struct r_pool *r)
{
	uint64_t deadline = clock_now() + clock_seconds(r->patience);
	while (r->pool.answered <= r->pool.asked) {
		int ms = clock_until(deadline, CHAN_SLICE);
		if (ms == 0)
			r_throw("template", -ETIMEDOUT);
		int rc = pool_poll(&r->pool, ms);
		R_CheckUserInterrupt();
		/* Its last word may say why it left. */
		if (rc < 0 && rc != -EINTR && r->pool.answered <= r->pool.asked)
			r_throw("template", rc);
	}
	if (r->pool.answer != 0)
		r_throw("template", -r->pool.answer);
}

SEXP C_pool_directory(SEXP parent)
{
	char path[TMPDIR_MAX];
	int rc = tmpdir_make(R_ExpandFileName(r_string(parent)), path);
	if (rc < 0)
		r_throw("directory", rc);
	return Rf_mkString(path);
}

/* What a collection gave back is sorted by the next request that is too large
 * for any of it: here, and not in a child, which would copy the page of every
 * piece. */
static void settle_heap(void)
{
	char *large = malloc((size_t)1 << 20);
	if (large)
		*(volatile char *)large = 0; /* or it would be left out */
	free(large);
}

/* options: list(outfile, niceness, patience, directory, share memory?) */
SEXP C_pool_start(SEXP program, SEXP environment, SEXP options)
{
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizerEx(handle, finalize, TRUE);
	struct r_pool *r = calloc(1, sizeof(*r));
	if (!r)
		r_throw("template", -ENOMEM);
	R_SetExternalPtrAddr(handle, r);
	r->owner = proc_self();
	r->pool.watch = r->pool.board.fd = -1;
	buf_init(&r->staging, SIZE_MAX / 2);
	chan_init(&r->pool.control, -1);
	r->patience = REAL(VECTOR_ELT(options, 2))[0];

	char **argv = r_c_strings(program);
	char **env = r_c_strings(environment);
	const char *output =
		Rf_translateChar(STRING_ELT(VECTOR_ELT(options, 0), 0));
	int niceness = INTEGER(VECTOR_ELT(options, 1))[0];
	(void)snprintf(r->base, sizeof(r->base), "%s",
		       r_string(VECTOR_ELT(options, 3)));
	int end[2];
	int rc = io_pair(end);
	if (rc < 0)
		r_throw("template", rc);
	/* What stdio still holds would be written by the child as well. */
	(void)fflush(NULL);
	pid_t session = getpid();
	pid_t pid;
	if (argv[0]) {
		pid = proc_exec(argv, env, end[1], output);
	} else {
		sigset_t mask;
		settle_heap();
		pid = proc_fork(&mask);
		if (pid == 0)
			r_node_template(end[1], session, niceness, output,
					r->base, &mask);
	}
	io_close(&end[1]);
	if (pid < 0) {
		io_close(&end[0]);
		r_throw("template", pid);
	}
	rc = pool_open(&r->pool, end[0], pid);
	if (rc < 0)
		r_throw("template", rc);
	if (!Rf_asLogical(VECTOR_ELT(options, 4)))
		r->pool.shares = false;
	UNPROTECT(1);
	return handle;
}

/* Waits until the template is set up. */
SEXP C_pool_ready(SEXP handle)
{
	wait_for_answer(r_pool_get(handle));
	return R_NilValue;
}

static int session_goes_on(void *of)
{
	struct r_pool *r = of;
	r_pool_poll(r, 0);
	return 0;
}

struct request {
	struct r_pool *r;
	SEXP object;
};

static SEXP send_state(void *of)
{
	const struct request *q = of;
	struct r_pool *r = q->r;
	struct wire_head h = {.kind = WIRE_STATE, .first = ++r->pool.asked};
	struct r_patience patience = {session_goes_on, r};
	int rc = r_stream_write(&r->pool.control, &h, q->object, &patience,
				NULL);
	if (rc < 0)
		r_throw("template", rc);
	wait_for_answer(r);
	return R_NilValue;
}

SEXP C_pool_state(SEXP handle, SEXP state)
{
	struct request q = {.r = r_pool_get_free(handle), .object = state};
	return r_pool_within(q.r, send_state, &q);
}

static SEXP restart(void *of)
{
	const struct request *q = of;
	struct r_pool *r = q->r;
	size_t n = (size_t)Rf_asInteger(q->object);
	int rc = pool_set_setup(&r->pool, NULL, 0);
	if (rc == 0)
		rc = pool_restart(&r->pool, n);
	if (rc < 0)
		r_throw("worker", rc);
	uint64_t deadline = clock_now() + clock_seconds(r->patience);
	while (pool_count(&r->pool, WORKER_STARTING) > 0) {
		int ms = clock_until(deadline, CHAN_SLICE);
		if (ms == 0)
			r_throw("worker", -ETIMEDOUT);
		r_pool_poll(r, ms);
	}
	for (size_t i = 0; i < n; i++)
		if (r->pool.workers[i].state == WORKER_NONE)
			r_throw("worker", r->pool.workers[i].status);
	return R_NilValue;
}

SEXP C_pool_restart(SEXP handle, SEXP size)
{
	struct request q = {.r = r_pool_get_free(handle), .object = size};
	if (q.r->calling)
		r_throw("busy", 0);
	return r_pool_within(q.r, restart, &q);
}

/* The nodes' process ids, in order. */
SEXP C_pool_nodes(SEXP handle)
{
	const struct r_pool *r = r_pool_get(handle);
	SEXP pids = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)r->pool.n));
	for (size_t i = 0; i < r->pool.n; i++)
		INTEGER(pids)[i] = (int)r->pool.workers[i].pid;
	UNPROTECT(1);
	return pids;
}

SEXP C_pool_setup(SEXP handle, SEXP calls)
{
	struct r_pool *r = r_pool_get(handle);
	size_t n = (size_t)Rf_xlength(calls);
	struct blob **blobs = (struct blob **)R_alloc(n, sizeof(*blobs));
	for (size_t i = 0; i < n; i++)
		blobs[i] = (struct blob *)R_ExternalPtrAddr(
			VECTOR_ELT(calls, (R_xlen_t)i));
	int rc = pool_set_setup(&r->pool, blobs, n);
	if (rc < 0)
		r_throw("worker", rc);
	return R_NilValue;
}

/* list(pid, state, elements done, restarts, processor time in seconds), by
 * node, after a look at the news. */
SEXP C_pool_status(SEXP handle)
{
	static const char *const names[] = {"pid",	"state", "done",
					    "restarts", "cpu",	 ""};
	struct r_pool *r = r_pool_get(handle);
	if (!r->inside)
		(void)pool_poll(&r->pool, 0);
	R_xlen_t n = (R_xlen_t)r->pool.n;
	SEXP all = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	SET_VECTOR_ELT(all, 0, Rf_allocVector(INTSXP, n));
	SET_VECTOR_ELT(all, 1, Rf_allocVector(STRSXP, n));
	for (int k = 2; k < 5; k++)
		SET_VECTOR_ELT(all, k, Rf_allocVector(REALSXP, n));
	for (R_xlen_t i = 0; i < n; i++) {
		const struct worker *w = &r->pool.workers[i];
		bool lives = w->pid > 0 && !w->died;
		uint64_t ns = 0;
		INTEGER(VECTOR_ELT(all, 0))
		[i] = lives ? (int)w->pid : NA_INTEGER;
		SET_STRING_ELT(VECTOR_ELT(all, 1), i,
			       Rf_mkChar(worker_state_name(w)));
		REAL(VECTOR_ELT(all, 2))[i] = (double)w->done;
		REAL(VECTOR_ELT(all, 3))[i] = (double)w->restarts;
		REAL(VECTOR_ELT(all, 4))
		[i] = lives && proc_used(w->pid, &ns) == 0 ? (double)ns / 1e9
							   : NA_REAL;
	}
	UNPROTECT(1);
	return all;
}

/* Throws where a call is in progress. */
SEXP C_pool_idle(SEXP handle)
{
	const struct r_pool *r = r_pool_address(handle);
	if (r && pool_alive(&r->pool) && (r->inside || r->calling))
		r_throw("busy", 0);
	return R_NilValue;
}

SEXP C_pool_close(SEXP handle)
{
	struct r_pool *r = r_pool_address(handle);
	if (!r || !pool_alive(&r->pool))
		return R_NilValue;
	(void)C_pool_idle(handle);
	release(r);
	r_large_release();
	return R_NilValue;
}
