/*
 * Queues in directories: what R/queue-methods.R calls. A handle is an external
 * pointer to a struct r_queue, its tag the path.
 */
#include "r_util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "r_entry.h"
#include "r_store.h"

struct r_queue {
	struct queue *queue;
	struct job_items items; /* what came out of it, until it is R's */
};

static void finalize(SEXP handle)
{
	struct r_queue *r = R_ExternalPtrAddr(handle);
	if (!r)
		return;
	R_ClearExternalPtr(handle);
	queue_close(r->queue);
	job_items_release(&r->items);
	free(r);
}

static void check(SEXP path, const char *what, int rc)
{
	struct r_failure f = {.thrower = "throw_queue",
			      .what = what,
			      .id = path,
			      .rc = rc,
			      .task = NA_REAL};
	if (rc < 0)
		r_fail(&f);
}

/* It may have been sent here, and point nowhere. */
static struct r_queue *address(SEXP handle)
{
	return TYPEOF(handle) == EXTPTRSXP
		       ? (struct r_queue *)R_ExternalPtrAddr(handle)
		       : NULL;
}

static struct r_queue *opened(SEXP handle, const char *what)
{
	struct r_queue *r = address(handle);
	if (!r || !r->queue)
		check(R_ExternalPtrTag(handle), what, -EBADF);
	return r;
}

static enum queue_table table_of(SEXP name)
{
	for (enum queue_table t = QUEUE_INPUT;
	     name != R_NilValue && t < QUEUE_TABLES; t++)
		if (strcmp(r_string(name), queue_table_names[t]) == 0)
			return t;
	return QUEUE_META;
}

SEXP C_queue_open(SEXP path, SEXP create)
{
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, path, R_NilValue));
	R_RegisterCFinalizerEx(handle, finalize, TRUE);
	struct r_queue *r = calloc(1, sizeof(*r));
	if (!r)
		r_throw("call", -ENOMEM);
	R_SetExternalPtrAddr(handle, r);
	bool makes = Rf_asLogical(create) == TRUE;
	int rc = makes ? queue_create(&r->queue, r_string(path))
		       : queue_open(&r->queue, r_string(path));
	check(path, makes ? "create" : "open", rc);
	UNPROTECT(1);
	return handle;
}

SEXP C_queue_is_closed(SEXP handle)
{
	const struct r_queue *r = address(handle);
	return Rf_ScalarLogical(!r || !r->queue || !queue_is_usable(r->queue));
}

SEXP C_queue_push(SEXP handle, SEXP table, SEXP values)
{
	struct r_queue *r = opened(handle, "add to");
	R_xlen_t n = XLENGTH(values);
	struct bytes *all =
		(struct bytes *)(void *)R_alloc((size_t)n + 1, sizeof(*all));
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP x = VECTOR_ELT(values, i);
		all[i] = (struct bytes){RAW(x), (size_t)XLENGTH(x)};
	}
	int rc;
	do
		rc = queue_push(r->queue, table_of(table), all, (size_t)n);
	while (r_again(rc, handle));
	check(R_ExternalPtrTag(handle), "add to", rc);
	return R_NilValue;
}

SEXP C_queue_count(SEXP handle, SEXP table)
{
	struct r_queue *r = opened(handle, "read");
	uint64_t n;
	check(R_ExternalPtrTag(handle), "read",
	      queue_count(r->queue, table_of(table), &n));
	return Rf_ScalarReal((double)n);
}

static SEXP value_at(const struct job_items *all, size_t i)
{
	SEXP value = Rf_allocVector(RAWSXP, (R_xlen_t)all->item[i].n);
	(void)job_items_value(all, i, -1, RAW(value));
	return value;
}

/* list(key, value) of the one that came out; NULL: none did. */
static SEXP found(struct r_queue *r, int rc)
{
	static const char *names[] = {"key", "value", ""};
	if (rc == 0)
		return R_NilValue;
	SEXP x = PROTECT(Rf_mkNamed(VECSXP, names));
	SET_VECTOR_ELT(x, 0, Rf_ScalarReal((double)r->items.item[0].task));
	SET_VECTOR_ELT(x, 1, value_at(&r->items, 0));
	job_items_clear(&r->items);
	UNPROTECT(1);
	return x;
}

SEXP C_queue_peek(SEXP handle, SEXP table)
{
	struct r_queue *r = opened(handle, "read");
	int rc = queue_peek(r->queue, table_of(table), &r->items);
	check(R_ExternalPtrTag(handle), "read", rc);
	return found(r, rc);
}

struct taking {
	struct r_queue *r;
	enum queue_table from;
};

static SEXP hand_over(void *of)
{
	return found(((const struct taking *)of)->r, 1);
}

/* R had no memory for what is in no table any more: it is the last one then. */
static void put_back(void *of)
{
	const struct taking *t = of;
	const struct job_items *all = &t->r->items;
	if (all->n == 0)
		return;
	struct bytes value = {all->bytes.bytes + all->item[0].at,
			      all->item[0].n};
	int rc;
	do
		rc = queue_push(t->r->queue, t->from, &value, 1);
	while (rc == -EINTR || rc == -ETIMEDOUT);
}

/* to: a table, or NULL. */
SEXP C_queue_shift(SEXP handle, SEXP from, SEXP to)
{
	struct r_queue *r = opened(handle, "take from");
	struct taking t = {r, table_of(from)};
	enum queue_table there = table_of(to);
	int rc;
	do
		rc = queue_shift(r->queue, t.from, there, &r->items);
	while (r_again(rc, handle));
	check(R_ExternalPtrTag(handle), "take from", rc);
	if (rc == 0 || there != QUEUE_META)
		return found(r, rc);
	return R_ExecWithCleanup(hand_over, &t, put_back, &t);
}

static uint64_t key_of(SEXP key)
{
	double k = Rf_asReal(key);
	return k >= 1 && k <= 0x1p53 ? (uint64_t)k : 0;
}

/* A raw vector, or NULL. */
SEXP C_queue_get(SEXP handle, SEXP table, SEXP key)
{
	struct r_queue *r = opened(handle, "read");
	int rc = queue_get(r->queue, table_of(table), key_of(key), &r->items);
	check(R_ExternalPtrTag(handle), "read", rc);
	SEXP value = rc == 0 ? R_NilValue : value_at(&r->items, 0);
	job_items_clear(&r->items);
	return value;
}

/* list(key, value), vectors. */
SEXP C_queue_list(SEXP handle, SEXP table)
{
	static const char *names[] = {"key", "value", ""};
	struct r_queue *r = opened(handle, "read");
	check(R_ExternalPtrTag(handle), "read",
	      queue_list(r->queue, table_of(table), &r->items));
	R_xlen_t n = (R_xlen_t)r->items.n;
	SEXP x = PROTECT(Rf_mkNamed(VECSXP, names));
	SET_VECTOR_ELT(x, 0, Rf_allocVector(REALSXP, n));
	SET_VECTOR_ELT(x, 1, Rf_allocVector(VECSXP, n));
	for (R_xlen_t i = 0; i < n; i++) {
		REAL(VECTOR_ELT(x, 0))[i] = (double)r->items.item[i].task;
		SET_VECTOR_ELT(VECTOR_ELT(x, 1), i,
			       value_at(&r->items, (size_t)i));
	}
	job_items_clear(&r->items);
	UNPROTECT(1);
	return x;
}

/* FALSE: there is none of that key. */
SEXP C_queue_move(SEXP handle, SEXP from, SEXP key, SEXP to, SEXP value)
{
	struct r_queue *r = opened(handle, "change");
	struct bytes bytes = {RAW(value), (size_t)XLENGTH(value)};
	int rc;
	do
		rc = queue_move(r->queue, table_of(from), key_of(key),
				table_of(to), bytes);
	while (r_again(rc, handle));
	check(R_ExternalPtrTag(handle), "change", rc);
	return Rf_ScalarLogical(rc);
}

SEXP C_queue_move_all(SEXP handle, SEXP from, SEXP to)
{
	struct r_queue *r = opened(handle, "change");
	int rc;
	do
		rc = queue_move_all(r->queue, table_of(from), table_of(to));
	while (r_again(rc, handle));
	check(R_ExternalPtrTag(handle), "change", rc);
	return Rf_ScalarReal(rc);
}

SEXP C_queue_delete(SEXP path)
{
	check(path, "delete", queue_delete(r_string(path)));
	return R_NilValue;
}
