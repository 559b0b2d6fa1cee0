/*
 * Jobs in directories: what R's methods of a store call.
 *
 * A handle is an external pointer to a struct r_job, its tag the job's id. What
 * a call claims hangs on it until R has it: if R jumps in between, it is given
 * back.
 */
#include "r_store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "job_look.h"
#include "job_work.h"
#include "r_entry.h"

struct r_job {
	struct job *job;
	bool owed; /* what was claimed is not R's yet */
	struct job_items items;
};

static void finalize(SEXP handle)
{
	struct r_job *r = R_ExternalPtrAddr(handle);
	if (!r)
		return;
	R_ClearExternalPtr(handle);
	job_forget(r->job);
	job_items_release(&r->items);
	free(r);
}

static SEXP new_handle(SEXP id)
{
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, id, R_NilValue));
	R_RegisterCFinalizerEx(handle, finalize, TRUE);
	struct r_job *r = calloc(1, sizeof(*r));
	if (!r)
		r_throw("call", -ENOMEM);
	R_SetExternalPtrAddr(handle, r);
	UNPROTECT(1);
	return handle;
}

/* j may be NULL. */
static _Noreturn void throw_job(const char *what, SEXP id, const struct job *j,
				int rc)
{
	char damage[100];
	struct r_failure f = {.thrower = "throw_job",
			      .what = what,
			      .id = id,
			      .rc = rc,
			      .task = NA_REAL};
	if (rc == -EBADMSG && j) {
		job_damage_text(j, damage, sizeof damage);
		f.why = damage;
		if (j->damage.known && j->damage.table == JOB_RESULT)
			f.task = (double)j->damage.number;
	}
	r_fail(&f);
}

static struct r_job *opened(SEXP handle, const char *what)
{
	struct r_job *r = TYPEOF(handle) == EXTPTRSXP
				  ? (struct r_job *)R_ExternalPtrAddr(handle)
				  : NULL;
	if (!r || !r->job)
		throw_job(what, R_ExternalPtrTag(handle), NULL, -EBADF);
	return r;
}

struct job *r_job(SEXP handle, const char *what)
{
	return opened(handle, what)->job;
}

void r_job_check(SEXP handle, const char *what, int rc)
{
	if (rc < 0) {
		const struct r_job *r = R_ExternalPtrAddr(handle);
		throw_job(what, R_ExternalPtrTag(handle), r->job, rc);
	}
}

static struct bytes raw_bytes(SEXP x)
{
	return (struct bytes){RAW(x), (size_t)XLENGTH(x)};
}

/* A list of raw vectors, as memory that is R's. */
static struct bytes *list_bytes(SEXP x, SEXP id, const char *what)
{
	R_xlen_t n = XLENGTH(x);
	struct bytes *all =
		(struct bytes *)(void *)R_alloc((size_t)n + 1, sizeof(*all));
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP value = VECTOR_ELT(x, i);
		if (TYPEOF(value) != RAWSXP)
			throw_job(what, id, NULL, -EINVAL);
		all[i] = raw_bytes(value);
	}
	return all;
}

SEXP C_job_create(SEXP path, SEXP id, SEXP manifest, SEXP tasks)
{
	static const char what[] = "create";
	SEXP handle = PROTECT(new_handle(id));
	struct r_job *r = R_ExternalPtrAddr(handle);
	const struct bytes *values = list_bytes(tasks, id, what);
	int rc;
	do
		rc = job_create(&r->job, r_string(path), r_string(id),
				raw_bytes(manifest), values,
				(size_t)XLENGTH(tasks));
	while (r_again(rc, handle));
	r_job_check(handle, what, rc);
	UNPROTECT(1);
	return handle;
}

SEXP C_job_open(SEXP path, SEXP id)
{
	SEXP handle = PROTECT(new_handle(id));
	struct r_job *r = R_ExternalPtrAddr(handle);
	r_job_check(handle, "open",
		    job_open(&r->job, r_string(path), r_string(id)));
	UNPROTECT(1);
	return handle;
}

/* FALSE: it was closed already. */
SEXP C_job_close(SEXP handle)
{
	struct r_job *r = R_ExternalPtrAddr(handle);
	if (!r || !r->job)
		return Rf_ScalarLogical(FALSE);
	struct job *j = r->job;
	r->job = NULL;
	int rc = job_close(j);
	/* Interrupted, its claims go back like those of the dead. */
	if (rc < 0 && rc != -ENOENT && rc != -ECHILD && rc != -EINTR &&
	    rc != -ETIMEDOUT)
		throw_job("close", R_ExternalPtrTag(handle), NULL, rc);
	return Rf_ScalarLogical(TRUE);
}

SEXP C_job_delete(SEXP path, SEXP id)
{
	int rc = job_delete(r_string(path), r_string(id));
	if (rc < 0)
		throw_job("delete", id, NULL, rc);
	return R_NilValue;
}

static SEXP numbers(const struct job_items *all)
{
	SEXP x = Rf_allocVector(REALSXP, (R_xlen_t)all->n);
	for (size_t i = 0; i < all->n; i++)
		REAL(x)[i] = (double)all->item[i].task;
	return x;
}

/* `table`: where a value that is damaged is of. */
static SEXP values(SEXP handle, const struct job_items *all,
		   enum job_table table)
{
	struct r_job *r = R_ExternalPtrAddr(handle);
	SEXP x = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)all->n));
	for (size_t i = 0; i < all->n; i++) {
		const struct job_item *item = &all->item[i];
		int rc = item->large
				 ? large_look(job_directory(r->job), &item->ref)
				 : 0;
		if (rc == 0) {
			SEXP value = Rf_allocVector(RAWSXP, (R_xlen_t)item->n);
			SET_VECTOR_ELT(x, (R_xlen_t)i, value);
			rc = job_items_value(all, i, job_directory(r->job),
					     RAW(value));
		}
		if (rc == -EBADMSG)
			r->job->damage =
				(struct job_damage){table, item->task, true};
		r_job_check(handle, "read", rc);
	}
	UNPROTECT(1);
	return x;
}

SEXP C_job_manifest(SEXP handle)
{
	struct r_job *r = opened(handle, "read");
	r_job_check(handle, "read", job_manifest(r->job, &r->items));
	return VECTOR_ELT(values(handle, &r->items, JOB_META), 0);
}

/* The number of the first one. */
SEXP C_job_add(SEXP handle, SEXP tasks)
{
	static const char what[] = "add to";
	struct r_job *r = opened(handle, what);
	uint64_t first;
	const struct bytes *all =
		list_bytes(tasks, R_ExternalPtrTag(handle), what);
	int rc;
	do
		rc = job_add(r->job, all, (size_t)XLENGTH(tasks), &first);
	while (r_again(rc, handle));
	r_job_check(handle, what, rc);
	return Rf_ScalarReal((double)first);
}

static uint64_t *task_numbers(SEXP x)
{
	R_xlen_t n = XLENGTH(x);
	uint64_t *all =
		(uint64_t *)(void *)R_alloc((size_t)n + 1, sizeof(*all));
	for (R_xlen_t i = 0; i < n; i++) {
		double v = REAL(x)[i];
		all[i] = v >= 1 && v <= 0x1p53 ? (uint64_t)v : 0;
	}
	return all;
}

/* What R did not get goes back: at once, or by the next call. */
static void give_back(void *of)
{
	struct r_job *r = of;
	if (r->owed && job_give_back(r->job) == 0)
		r->owed = false;
}

static void settle(SEXP handle, struct r_job *r)
{
	int rc = 0;
	while (r->owed && r_again(rc = job_give_back(r->job), handle))
		;
	r_job_check(handle, "release", rc);
	r->owed = false;
}

static SEXP claimed(void *of)
{
	static const char *names[] = {"task", "data", "tries", ""};
	SEXP handle = of;
	struct r_job *r = R_ExternalPtrAddr(handle);
	const struct job_items *all = &r->job->claimed;
	SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
	SET_VECTOR_ELT(value, 0, numbers(all));
	SET_VECTOR_ELT(value, 1, values(handle, all, JOB_TASK));
	SEXP tries = Rf_allocVector(INTSXP, (R_xlen_t)all->n);
	SET_VECTOR_ELT(value, 2, tries);
	for (size_t i = 0; i < all->n; i++)
		INTEGER(tries)[i] = all->item[i].tries;
	r->owed = false;
	UNPROTECT(1);
	return value;
}

/* failed: logical, the status of each. */
SEXP C_job_commit(SEXP handle, SEXP task, SEXP failed, SEXP result,
		  SEXP seconds, SEXP most)
{
	static const char what[] = "commit to";
	struct r_job *r = opened(handle, what);
	size_t n = (size_t)XLENGTH(task);
	double claims = Rf_asReal(most);
	if (XLENGTH(failed) != XLENGTH(task) ||
	    XLENGTH(result) != XLENGTH(task) ||
	    XLENGTH(seconds) != XLENGTH(task) || !(claims >= 0))
		r_job_check(handle, what, -EINVAL);
	const uint64_t *tasks = task_numbers(task);
	const struct bytes *all =
		list_bytes(result, R_ExternalPtrTag(handle), what);
	struct job_done *done =
		(struct job_done *)(void *)R_alloc(n + 1, sizeof(*done));
	for (size_t i = 0; i < n; i++)
		done[i] = (struct job_done){.task = tasks[i],
					    .status = LOGICAL(failed)[i]
							      ? TASK_FAILED
							      : TASK_COMPLETED,
					    .seconds = REAL(seconds)[i],
					    .value = all[i]};
	settle(handle, r);
	int rc;
	do
		rc = job_commit(r->job, done, n,
				claims < INT_MAX ? (size_t)claims : INT_MAX);
	while (r_again(rc, handle));
	r->owed = rc == 0 && r->job->claimed.n > 0;
	r_job_check(handle, what, rc);
	return R_ExecWithCleanup(claimed, handle, give_back, r);
}

/* TRUE: it is lost. */
SEXP C_job_charge(SEXP handle, SEXP task, SEXP most, SEXP result)
{
	struct r_job *r = opened(handle, "charge");
	uint64_t number = task_numbers(task)[0];
	int rc;
	do
		rc = job_charge(r->job, number, Rf_asInteger(most),
				raw_bytes(result));
	while (r_again(rc, handle));
	r_job_check(handle, "charge", rc);
	return Rf_ScalarLogical(rc);
}

SEXP C_job_release(SEXP handle, SEXP task)
{
	struct r_job *r = opened(handle, "release");
	const uint64_t *tasks = task_numbers(task);
	int rc;
	do
		rc = job_release(r->job, tasks, (size_t)XLENGTH(task));
	while (r_again(rc, handle));
	r_job_check(handle, "release", rc);
	return R_NilValue;
}

/* tasks, queued, running, completed, failed, lost, terminated */
SEXP C_job_status(SEXP handle)
{
	struct r_job *r = opened(handle, "read");
	struct job_head h;
	r_job_check(handle, "read", job_status(r->job, &h));
	SEXP x = Rf_allocVector(REALSXP, TASK_STATES + 1);
	REAL(x)[0] = (double)h.tasks;
	for (int i = TASK_QUEUED; i < TASK_STATES; i++)
		REAL(x)[i] = (double)h.count[i];
	REAL(x)[TASK_STATES] = (double)h.terminated;
	return x;
}

SEXP C_job_results(SEXP handle, SEXP from, SEXP n)
{
	static const char *const statuses[TASK_STATES] = {
		[TASK_COMPLETED] = "completed",
		[TASK_FAILED] = "failed",
		[TASK_LOST] = "lost"};
	static const char *names[] = {"task", "status", "result", "seconds",
				      ""};
	struct r_job *r = opened(handle, "read");
	double most = Rf_asReal(n);
	uint64_t limit = most < 0x1p53 ? (uint64_t)most : UINT64_MAX;
	int rc = job_results(r->job, task_numbers(from)[0], limit, &r->items);
	r_job_check(handle, "read", rc);
	const struct job_items *all = &r->items;
	SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
	SET_VECTOR_ELT(value, 0, numbers(all));
	SEXP status = Rf_allocVector(STRSXP, (R_xlen_t)all->n);
	SET_VECTOR_ELT(value, 1, status);
	SET_VECTOR_ELT(value, 2, values(handle, all, JOB_RESULT));
	SEXP seconds = Rf_allocVector(REALSXP, (R_xlen_t)all->n);
	SET_VECTOR_ELT(value, 3, seconds);
	for (size_t i = 0; i < all->n; i++) {
		REAL(seconds)
		[i] = all->item[i].status == TASK_LOST ? NA_REAL
						       : all->item[i].seconds;
		SET_STRING_ELT(status, (R_xlen_t)i,
			       Rf_mkChar(statuses[all->item[i].status]));
	}
	job_items_clear(&r->items);
	UNPROTECT(1);
	return value;
}

SEXP C_job_abandoned(SEXP handle)
{
	struct r_job *r = opened(handle, "read");
	r_job_check(handle, "read", job_abandoned(r->job, &r->items));
	return numbers(&r->items);
}

SEXP C_job_requeue(SEXP handle)
{
	struct r_job *r = opened(handle, "change");
	int rc;
	do
		rc = job_requeue(r->job);
	while (r_again(rc, handle));
	r_job_check(handle, "change", rc);
	return Rf_ScalarReal(rc);
}

SEXP C_job_terminate(SEXP handle)
{
	struct r_job *r = opened(handle, "terminate");
	int rc;
	do
		rc = job_terminate(r->job);
	while (r_again(rc, handle));
	r_job_check(handle, "terminate", rc);
	return R_NilValue;
}
