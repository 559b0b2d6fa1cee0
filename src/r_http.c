/*
 * The session's HTTP engine, and requests over it, one or many at once.
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

/* ---- Requests ------------------------------------------------------------ */

struct request {
	struct exchange x;
	struct requests *all;
	bool asked;
	bool ended;
};

struct requests {
	struct http *http;
	struct sign_account *accounts;
	size_t n_accounts;
	struct request *one;
	size_t n;
	size_t most; /* at once */
	size_t asked;
	size_t ended;
	SEXP account_fields;
};

static void on_done(struct exchange *x)
{
	struct request *q = x->of;
	q->ended = true;
	q->all->ended++;
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

static void ask_more(struct requests *all)
{
	while (all->asked < all->n && all->asked - all->ended < all->most) {
		struct request *q = &all->one[all->asked];
		int rc = http_add(all->http, &q->x);
		if (rc < 0)
			r_throw("http", rc);
		q->asked = true;
		all->asked++;
	}
}

static SEXP run_requests(void *of)
{
	struct requests *all = of;
	for (size_t i = 0; i < all->n_accounts; i++) {
		int rc = r_http_account(
			&all->accounts[i],
			VECTOR_ELT(all->account_fields, (R_xlen_t)i));
		if (rc < 0)
			r_throw("key", rc);
	}
	while (all->ended < all->n) {
		ask_more(all);
		int rc = http_step(all->http, SLICE_MS);
		if (rc < 0)
			r_throw("http", rc);
		R_CheckUserInterrupt();
	}
	SEXP answers = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)all->n));
	for (size_t i = 0; i < all->n; i++)
		SET_VECTOR_ELT(answers, (R_xlen_t)i,
			       answer_list(&all->one[i].x));
	UNPROTECT(1);
	return answers;
}

static void end_requests(void *of)
{
	struct requests *all = of;
	for (size_t i = 0; i < all->n; i++) {
		struct request *q = &all->one[i];
		if (q->asked && !q->ended)
			http_cancel(all->http, &q->x);
		exchange_release(&q->x);
	}
	for (size_t i = 0; i < all->n_accounts; i++)
		sign_account_release(&all->accounts[i]);
}

/* In the order of http_requests(). */
enum { VERB, URL, LINES, CONTENT, TIMEOUT, RETRIES, ACCOUNT };

static void fill_request(struct requests *all, size_t i, SEXP asked)
{
	struct request *q = &all->one[i];
	SEXP body = VECTOR_ELT(asked, CONTENT);
	int account = Rf_asInteger(VECTOR_ELT(asked, ACCOUNT));
	if (account < 1 || (size_t)account > all->n_accounts)
		r_throw("http", -EINVAL);
	q->all = all;
	exchange_init(&q->x, SIZE_MAX / 4);
	q->x.verb = r_string(VECTOR_ELT(asked, VERB));
	q->x.url = r_string(VECTOR_ELT(asked, URL));
	q->x.headers = r_http_lines(VECTOR_ELT(asked, LINES));
	q->x.n_headers = (size_t)Rf_xlength(VECTOR_ELT(asked, LINES));
	q->x.body.bytes = RAW(body);
	q->x.body.length = (uint64_t)Rf_xlength(body);
	q->x.timeout = Rf_asReal(VECTOR_ELT(asked, TIMEOUT));
	q->x.retries = (unsigned)Rf_asInteger(VECTOR_ELT(asked, RETRIES));
	q->x.account = &all->accounts[account - 1];
	q->x.done = on_done;
	q->x.of = q;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = R_alloc(n + 1, (int)size);
	memset(p, 0, (n + 1) * size);
	return p;
}

/* accounts: a list of those that requests are signed as. requests: a list of
 * list(verb, URL, header lines, body, timeout in seconds, retries, which
 * account). A list of answers. */
SEXP C_http_requests(SEXP handle, SEXP accounts, SEXP requests, SEXP most)
{
	struct requests all = {.http = r_http_get(handle)};
	all.account_fields = accounts;
	all.n_accounts = (size_t)Rf_xlength(accounts);
	all.accounts = zeroed(all.n_accounts, sizeof(*all.accounts));
	all.n = (size_t)Rf_xlength(requests);
	all.one = zeroed(all.n, sizeof(*all.one));
	int limit = Rf_asInteger(most);
	all.most = limit < 1 ? 1 : (size_t)limit;
	for (size_t i = 0; i < all.n; i++)
		fill_request(&all, i, VECTOR_ELT(requests, (R_xlen_t)i));
	return R_ExecWithCleanup(run_requests, &all, end_requests, &all);
}
