/* Reading plain objects: nothing that comes is trusted. */
#include "r_codec.h"

#include <stdint.h>
#include <string.h>

#include "r_codec_form.h"

enum { READ_DEEPEST = 2 * CODEC_DEEPEST + 2 }; /* what has names counts twice */

static _Noreturn void malformed(void)
{
	Rf_error("a plain object is malformed");
}

struct reader {
	const struct codec_source *from;
	SEXP names; /* the last ones */
	PROTECT_INDEX at;
};

static void get(struct reader *r, void *bytes, size_t n)
{
	if (n > 0)
		r->from->get(r->from->of, bytes, n);
}

static unsigned get_byte(struct reader *r)
{
	unsigned char byte;
	get(r, &byte, 1);
	return byte;
}

static R_xlen_t get_length(struct reader *r)
{
	uint64_t n;
	get(r, &n, sizeof(n));
	if (n > (uint64_t)R_XLEN_T_MAX)
		malformed();
	return (R_xlen_t)n;
}

static SEXPTYPE get_type(struct reader *r, bool strings)
{
	SEXPTYPE type = get_byte(r);
	if (r_width(type) == 0 && !(strings && type == STRSXP))
		malformed();
	return type;
}

static void *data(SEXP x)
{
	switch (TYPEOF(x)) {
	case LGLSXP:
		return LOGICAL(x);
	case INTSXP:
		return INTEGER(x);
	case REALSXP:
		return REAL(x);
	case CPLXSXP:
		return COMPLEX(x);
	default:
		return RAW(x);
	}
}

static SEXP get_vector(struct reader *r)
{
	SEXPTYPE type = get_type(r, false);
	R_xlen_t n = get_length(r);
	SEXP x = PROTECT(Rf_allocVector(type, n));
	get(r, data(x), (size_t)n * r_width(type));
	UNPROTECT(1);
	return x;
}

static SEXP get_string(struct reader *r)
{
	int32_t length;
	get(r, &length, sizeof(length));
	cetype_t encoding = (cetype_t)get_byte(r);
	if (length == -1)
		return NA_STRING;
	if (length < 0 || (encoding != CE_NATIVE && encoding != CE_UTF8 &&
			   encoding != CE_LATIN1 && encoding != CE_BYTES))
		malformed();
	if (length <= CODEC_BLOCK) {
		char some[CODEC_BLOCK];
		get(r, some, (size_t)length);
		return Rf_mkCharLenCE(some, length, encoding);
	}
	SEXP bytes = PROTECT(Rf_allocVector(RAWSXP, length));
	get(r, RAW(bytes), (size_t)length);
	SEXP s = Rf_mkCharLenCE((const char *)RAW(bytes), length, encoding);
	UNPROTECT(1);
	return s;
}

static SEXP get_strings(struct reader *r)
{
	R_xlen_t n = get_length(r);
	SEXP x = PROTECT(Rf_allocVector(STRSXP, n));
	for (R_xlen_t i = 0; i < n; i++)
		SET_STRING_ELT(x, i, get_string(r));
	UNPROTECT(1);
	return x;
}

/* The data of some scalars, as elements i .. i + n - 1. */
static void set_scalars(SEXP x, R_xlen_t i, R_xlen_t n, SEXPTYPE type,
			const unsigned char *from)
{
	size_t size = r_width(type);
	for (R_xlen_t k = 0; k < n; k++) {
		SEXP e = Rf_allocVector(type, 1);
		memcpy(data(e), from + (size_t)k * size, size);
		SET_VECTOR_ELT(x, i + k, e);
	}
}

static void get_scalars(struct reader *r, SEXP to, R_xlen_t at, R_xlen_t n,
			SEXPTYPE type)
{
	unsigned char some[CODEC_BLOCK];
	if (type == STRSXP) {
		for (R_xlen_t i = 0; i < n; i++)
			SET_VECTOR_ELT(to, at + i,
				       Rf_ScalarString(get_string(r)));
		return;
	}
	R_xlen_t most = (R_xlen_t)(CODEC_BLOCK / r_width(type));
	for (R_xlen_t i = 0; i < n; i += most) {
		R_xlen_t k = n - i < most ? n - i : most;
		get(r, some, (size_t)k * r_width(type));
		set_scalars(to, at + i, k, type, some);
	}
}

static SEXP get_item(struct reader *r, int depth);

/* A list, new (to NULL), or of n as elements of `to`. */
static SEXP get_list(struct reader *r, unsigned tag, SEXP to, R_xlen_t at,
		     R_xlen_t n, int depth)
{
	SEXPTYPE type = tag == SCALARS ? get_type(r, true) : VECSXP;
	R_xlen_t length = get_length(r);
	if (depth == 0 || (to && length != n))
		malformed();
	if (!to)
		to = Rf_allocVector(VECSXP, length);
	PROTECT(to);
	if (tag == SCALARS)
		get_scalars(r, to, at, length, type);
	for (R_xlen_t i = 0; tag == LIST && i < length; i++)
		SET_VECTOR_ELT(to, at + i, get_item(r, depth - 1));
	UNPROTECT(1);
	return to;
}

static SEXP get_named(struct reader *r, int depth)
{
	if (get_byte(r) == 0)
		REPROTECT(r->names = get_strings(r), r->at);
	SEXP names = PROTECT(r->names);
	SEXP x = PROTECT(get_item(r, depth));
	if (names == R_NilValue || x == R_NilValue ||
	    Rf_xlength(names) != Rf_xlength(x))
		malformed();
	Rf_setAttrib(x, R_NamesSymbol, names);
	UNPROTECT(2);
	return x;
}

static SEXP get_item(struct reader *r, int depth)
{
	unsigned tag = get_byte(r);
	if (depth < 0)
		malformed();
	switch (tag) {
	case NOTHING:
		return R_NilValue;
	case VECTOR:
		return get_vector(r);
	case STRINGS:
		return get_strings(r);
	case LIST:
	case SCALARS:
		return get_list(r, tag, NULL, 0, 0, depth);
	case WITH_NAMES:
		return get_named(r, depth - 1);
	default:
		malformed();
	}
}

SEXP codec_read(const struct codec_source *from)
{
	struct reader r = {.from = from, .names = R_NilValue};
	PROTECT_WITH_INDEX(r.names, &r.at);
	SEXP x = get_item(&r, READ_DEEPEST);
	UNPROTECT(1);
	return x;
}

void codec_read_list(const struct codec_source *from, SEXP to, R_xlen_t at,
		     R_xlen_t n)
{
	struct reader r = {.from = from, .names = R_NilValue};
	PROTECT_WITH_INDEX(r.names, &r.at);
	unsigned tag = get_byte(&r);
	if (tag != LIST && tag != SCALARS)
		malformed();
	(void)get_list(&r, tag, to, at, n, READ_DEEPEST);
	UNPROTECT(1);
}
