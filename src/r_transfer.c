/*
 * Many transfers, driven from R slice by slice, so that R's interrupts are seen
 * and progress is told from R.
 *
 * The columns hang on the handle's protected slot with the engine: what C
 * points to in them lives as long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "r_entry.h"
#include "r_http.h"
#include "r_util.h"
#include "transfer.h"

struct r_transfer {
	pid_t owner;
	struct transfer t;
	struct item *items;
	size_t n;
	const char **lines; /* of all items */
};

/* In the order of run_transfers(). */
enum column { UPLOADS, URL, LOCAL, HEADERS, APPEND, BLOCKSIZE, MD5, REPLACE };

static struct r_transfer *address(SEXP handle)
{
	return TYPEOF(handle) == EXTPTRSXP
		       ? (struct r_transfer *)R_ExternalPtrAddr(handle)
		       : NULL;
}

static void release(SEXP handle)
{
	struct r_transfer *r = address(handle);
	if (!r)
		return;
	R_ClearExternalPtr(handle);
	/* In a fork connections and temporary files are the parent's. */
	if (r->owner != proc_self())
		return;
	if (r->t.run.http)
		transfer_release(&r->t);
	free((void *)r->lines);
	free(r->items);
	free(r);
}

static struct r_transfer *get(SEXP handle)
{
	struct r_transfer *r = address(handle);
	if (!r || r->owner != proc_self())
		r_throw("transfer", -EBADF);
	return r;
}

static size_t count_lines(SEXP headers)
{
	size_t n = 0;
	for (R_xlen_t i = 0; i < Rf_xlength(headers); i++)
		n += (size_t)Rf_xlength(VECTOR_ELT(headers, i));
	return n;
}

static void fill_local(struct item *it, SEXP local)
{
	if (TYPEOF(local) == STRSXP) {
		it->path = r_string(local);
	} else if (TYPEOF(local) == RAWSXP) {
		it->bytes = RAW(local);
		it->length = (uint64_t)Rf_xlength(local);
	}
}

static void fill_items(struct r_transfer *r, SEXP columns)
{
	const char **line = r->lines;
	SEXP headers = VECTOR_ELT(columns, HEADERS);
	for (size_t i = 0; i < r->n; i++) {
		R_xlen_t k = (R_xlen_t)i;
		struct item *it = &r->items[i];
		SEXP own = VECTOR_ELT(headers, k);
		it->uploads = LOGICAL(VECTOR_ELT(columns, UPLOADS))[k];
		it->append = LOGICAL(VECTOR_ELT(columns, APPEND))[k];
		it->md5 = LOGICAL(VECTOR_ELT(columns, MD5))[k];
		it->replace = LOGICAL(VECTOR_ELT(columns, REPLACE))[k];
		it->blocksize =
			(uint64_t)REAL(VECTOR_ELT(columns, BLOCKSIZE))[k];
		it->url = CHAR(STRING_ELT(VECTOR_ELT(columns, URL), k));
		it->headers = line;
		it->n_headers = (size_t)Rf_xlength(own);
		for (R_xlen_t l = 0; l < Rf_xlength(own); l++)
			*line++ = CHAR(STRING_ELT(own, l));
		fill_local(it, VECTOR_ELT(VECTOR_ELT(columns, LOCAL), k));
	}
}

/* columns: as enum column says, of checked types. options: list(most at once,
 * timeout in seconds, retries) */
SEXP C_transfer_start(SEXP http, SEXP account, SEXP columns, SEXP options)
{
	struct http *engine = r_http_get(http);
	SEXP kept = PROTECT(Rf_allocVector(VECSXP, 2));
	SET_VECTOR_ELT(kept, 0, http);
	SET_VECTOR_ELT(kept, 1, columns);
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, kept));
	R_RegisterCFinalizerEx(handle, release, TRUE);
	struct r_transfer *r = calloc(1, sizeof(*r));
	if (!r)
		r_throw("transfer", -ENOMEM);
	R_SetExternalPtrAddr(handle, r);
	r->owner = proc_self();
	r->n = (size_t)Rf_xlength(VECTOR_ELT(columns, URL));
	r->items = calloc(r->n + 1, sizeof(*r->items));
	r->lines = (const char **)calloc(
		count_lines(VECTOR_ELT(columns, HEADERS)) + 1, sizeof(char *));
	if (!r->items || !r->lines)
		r_throw("transfer", -ENOMEM);
	fill_items(r, columns);
	int rc = transfer_init(&r->t, engine, r->items, r->n,
			       (size_t)Rf_asReal(VECTOR_ELT(options, 0)));
	if (rc < 0)
		r_throw("transfer", rc);
	r->t.run.timeout = Rf_asReal(VECTOR_ELT(options, 1));
	r->t.run.retries = (unsigned)Rf_asInteger(VECTOR_ELT(options, 2));
	rc = r_http_account(&r->t.run.account, account);
	if (rc < 0)
		r_throw("key", rc);
	UNPROTECT(2);
	return handle;
}

/* Takes another account for what is asked from now on. */
SEXP C_transfer_account(SEXP handle, SEXP account)
{
	struct r_transfer *r = get(handle);
	struct sign_account fresh;
	int rc = r_http_account(&fresh, account);
	if (rc < 0)
		r_throw("key", rc);
	sign_account_release(&r->t.run.account);
	r->t.run.account = fresh;
	return R_NilValue;
}

/* c(1 if all have ended, transfers that have, bytes moved, bytes in all) */
SEXP C_transfer_step(SEXP handle, SEXP ms)
{
	struct r_transfer *r = get(handle);
	int rc = transfer_step(&r->t, Rf_asInteger(ms));
	if (rc < 0)
		r_throw("http", rc);
	R_CheckUserInterrupt();
	struct transfer_progress p = transfer_progress(&r->t);
	SEXP state = Rf_allocVector(REALSXP, 4);
	REAL(state)[0] = rc;
	REAL(state)[1] = (double)p.items;
	REAL(state)[2] = (double)p.moved;
	REAL(state)[3] = (double)p.total;
	return state;
}

static SEXP text_or_na(const char *text)
{
	return text ? Rf_mkCharCE(text, CE_UTF8) : NA_STRING;
}

/* Raws of what came into memory: the bytes are given up one by one. */
static SEXP take_values(struct r_transfer *r)
{
	SEXP values = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)r->n));
	for (size_t i = 0; i < r->n; i++) {
		struct item *it = &r->items[i];
		if (it->uploads || it->path || it->error)
			continue;
		SEXP value = Rf_allocVector(RAWSXP, (R_xlen_t)it->memory.len);
		SET_VECTOR_ELT(values, (R_xlen_t)i, value);
		if (it->memory.len > 0)
			memcpy(RAW(value), it->memory.bytes, it->memory.len);
		buf_release(&it->memory);
	}
	UNPROTECT(1);
	return values;
}

SEXP C_transfer_result(SEXP handle)
{
	static const char *const names[] = {
		"size",	      "seconds", "attempts", "status", "code",
		"request_id", "error",	 "digest",   "value",  ""};
	static const SEXPTYPE types[] = {REALSXP, REALSXP, INTSXP, INTSXP,
					 STRSXP,  STRSXP,  STRSXP, LGLSXP};
	struct r_transfer *r = get(handle);
	R_xlen_t n = (R_xlen_t)r->n;
	SEXP all = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	for (int k = 0; k < 8; k++)
		SET_VECTOR_ELT(all, k, Rf_allocVector(types[k], n));
	for (R_xlen_t i = 0; i < n; i++) {
		const struct item *it = &r->items[i];
		REAL(VECTOR_ELT(all, 0))[i] = (double)it->total;
		REAL(VECTOR_ELT(all, 1))[i] = it->seconds;
		INTEGER(VECTOR_ELT(all, 2))[i] = (int)it->attempts;
		INTEGER(VECTOR_ELT(all, 3))
		[i] = it->status > 0 ? it->status : NA_INTEGER;
		SET_STRING_ELT(VECTOR_ELT(all, 4), i, text_or_na(it->code));
		SET_STRING_ELT(VECTOR_ELT(all, 5), i,
			       text_or_na(it->request_id));
		SET_STRING_ELT(VECTOR_ELT(all, 6), i, text_or_na(it->error));
		LOGICAL(VECTOR_ELT(all, 7))
		[i] = !it->uploads && it->md5_text[0] != '\0';
	}
	SET_VECTOR_ELT(all, 8, take_values(r));
	UNPROTECT(1);
	return all;
}

/* Whatever is on the way ends, and leaves nothing half written. */
SEXP C_transfer_finish(SEXP handle)
{
	release(handle);
	return R_NilValue;
}
