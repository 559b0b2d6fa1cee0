/*
 * The session's HTTP engine, and one request over it.
 */
#include "r_http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "r_entry.h"

enum { SLICE_MS = 100 }; /* between two looks at R's interrupts */

struct r_http {
	pid_t owner;
	struct http *http;
};

static struct r_http *address(SEXP handle)
{
	return TYPEOF(handle) == EXTPTRSXP
		       ? (struct r_http *)R_ExternalPtrAddr(handle)
		       : NULL;
}

static void finalize(SEXP handle)
{
	struct r_http *r = address(handle);
	if (!r)
		return;
	R_ClearExternalPtr(handle);
	/* In a fork the connections are the parent's: a goodbye over TLS would
	 * be said in its name. */
	if (r->owner != proc_self())
		return;
	http_unref(r->http);
	free(r);
}

/* Is there one, of this process? */
SEXP C_http_alive(SEXP handle)
{
	const struct r_http *r = address(handle);
	return Rf_ScalarLogical(r && r->owner == proc_self() && r->http);
}

static const char *string_or_null(SEXP x)
{
	return x == R_NilValue ? NULL : r_string(x);
}

SEXP C_http_open(SEXP ca_file, SEXP agent)
{
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizerEx(handle, finalize, TRUE);
	struct r_http *r = calloc(1, sizeof(*r));
	if (!r)
		r_throw("http", -ENOMEM);
	R_SetExternalPtrAddr(handle, r);
	r->owner = proc_self();
	int rc = http_open(&r->http, string_or_null(ca_file), r_string(agent));
	if (rc < 0)
		r_throw("http", rc);
	UNPROTECT(1);
	return handle;
}

struct http *r_http_get(SEXP handle)
{
	const struct r_http *r = address(handle);
	struct http *http = r && r->owner == proc_self() ? r->http : NULL;
	if (!http)
		r_throw("http", -EBADF);
	return http;
}

int r_http_account(struct sign_account *a, SEXP fields)
{
	const char *texts[5];
	for (int i = 0; i < 5; i++)
		texts[i] = string_or_null(VECTOR_ELT(fields, i));
	return sign_account_set(a, texts);
}

const char **r_http_lines(SEXP strings)
{
	R_xlen_t n = Rf_xlength(strings);
	const char **lines =
		(const char **)R_alloc((size_t)n + 1, sizeof(char *));
	for (R_xlen_t i = 0; i < n; i++)
		lines[i] = CHAR(STRING_ELT(strings, i));
	lines[n] = NULL;
	return lines;
}

/* ---- One request --------------------------------------------------------- */

struct request {
	struct http *http;
	struct exchange x;
	struct sign_account account;
	bool ended;
};

static void on_done(struct exchange *x)
{
	struct request *q = x->of;
	q->ended = true;
}

/* The headers as a named vector, the names in lower case. */
static SEXP header_values(const struct answer *a)
{
	R_xlen_t n = 0;
	for (const char *l = answer_next(a, NULL); l; l = answer_next(a, l))
		n++;
	SEXP values = PROTECT(Rf_allocVector(STRSXP, n));
	SEXP names = PROTECT(Rf_allocVector(STRSXP, n));
	R_xlen_t i = 0;
	for (const char *l = answer_next(a, NULL); l;
	     l = answer_next(a, l), i++) {
		size_t size = strcspn(l, ":");
		char *name = R_alloc(size + 1, 1);
		for (size_t k = 0; k < size; k++)
			name[k] = (char)tolower((unsigned char)l[k]);
		SET_STRING_ELT(names, i,
			       Rf_mkCharLenCE(name, (int)size, CE_UTF8));
		const char *value = l + size + 1;
		value += strspn(value, " \t");
		SET_STRING_ELT(values, i, Rf_mkCharCE(value, CE_UTF8));
	}
	Rf_setAttrib(values, R_NamesSymbol, names);
	UNPROTECT(2);
	return values;
}

static SEXP answer_list(const struct exchange *x)
{
	static const char *const names[] = {"status",	"headers", "body",
					    "attempts", "error",   ""};
	SEXP all = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	bool answered = x->rc == 0;
	SET_VECTOR_ELT(
		all, 0,
		Rf_ScalarInteger(answered ? x->answer.status : NA_INTEGER));
	SET_VECTOR_ELT(all, 1, header_values(&x->answer));
	R_xlen_t size = answered ? (R_xlen_t)x->text.len : 0;
	SET_VECTOR_ELT(all, 2, Rf_allocVector(RAWSXP, size));
	if (size > 0)
		memcpy(RAW(VECTOR_ELT(all, 2)), x->text.bytes, (size_t)size);
	SET_VECTOR_ELT(all, 3, Rf_ScalarInteger((int)x->tries));
	if (!answered)
		SET_VECTOR_ELT(all, 4, Rf_mkString(x->error));
	UNPROTECT(1);
	return all;
}

static SEXP run_request(void *of)
{
	struct request *q = of;
	int rc = http_add(q->http, &q->x);
	if (rc < 0)
		r_throw("http", rc);
	while (!q->ended) {
		rc = http_step(q->http, SLICE_MS);
		if (rc < 0)
			r_throw("http", rc);
		R_CheckUserInterrupt();
	}
	return answer_list(&q->x);
}

static void end_request(void *of)
{
	struct request *q = of;
	if (!q->ended)
		http_cancel(q->http, &q->x);
	exchange_release(&q->x);
	sign_account_release(&q->account);
}

/* request: list(verb, URL, header lines, body, timeout in seconds, retries) */
SEXP C_http_request(SEXP handle, SEXP account, SEXP request)
{
	struct request q = {.http = r_http_get(handle)};
	exchange_init(&q.x, SIZE_MAX / 4);
	SEXP body = VECTOR_ELT(request, 3);
	q.x.verb = r_string(VECTOR_ELT(request, 0));
	q.x.url = r_string(VECTOR_ELT(request, 1));
	q.x.headers = r_http_lines(VECTOR_ELT(request, 2));
	q.x.n_headers = (size_t)Rf_xlength(VECTOR_ELT(request, 2));
	q.x.body.bytes = RAW(body);
	q.x.body.length = (uint64_t)Rf_xlength(body);
	q.x.timeout = Rf_asReal(VECTOR_ELT(request, 4));
	q.x.retries = (unsigned)Rf_asInteger(VECTOR_ELT(request, 5));
	q.x.account = &q.account;
	q.x.done = on_done;
	q.x.of = &q;
	int rc = r_http_account(&q.account, account);
	if (rc < 0)
		r_throw("key", rc);
	return R_ExecWithCleanup(run_request, &q, end_request, &q);
}
