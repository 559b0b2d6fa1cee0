/*
 * The compact form: an item is a tag, then what the tag says. Numbers are in
 * the machine's byte order.
 *
 *   NOTHING                          NULL
 *   VECTOR   type u8, n u64, data    numbers, logicals, raws
 *   STRINGS  n u64, n strings        length i32 (-1: NA), encoding u8, bytes
 *   LIST     n u64, n items
 *   SCALARS  type u8, n u64, data    a list of n vectors of length one, all of
 *                                    a type: the data, or the strings
 *   WITH_NAMES again u8, names, item the item has names: those of the last such
 *                                    item, or (again 0) n u64, n strings
 */
#include "r_codec.h"

#include <stdint.h>
#include <string.h>

#include <Rversion.h>

enum tag { NOTHING = 1, VECTOR, STRINGS, LIST, SCALARS, WITH_NAMES };

enum {
	DEEPEST = 64,	/* lists within lists: the C stack is finite */
	COMPACT = 1024, /* of what is longer than this, R keeps the formula */
	BLOCK = 4096,	/* bytes gathered before they are put */
	READ_DEEPEST = 2 * DEEPEST + 2, /* what has names counts twice */
};

/* No attributes but names? And these, or NULL. */
#if R_VERSION >= R_Version(4, 5, 0)
/* There is no way to tell whether names are all. */
static bool is_plain(SEXP x, SEXP *names)
{
	*names = R_NilValue;
	return !ANY_ATTRIB(x);
}

static SEXP names_of(SEXP x)
{
	(void)x;
	return R_NilValue;
}
#else
static bool is_plain(SEXP x, SEXP *names)
{
	SEXP all = ATTRIB(x);
	*names = R_NilValue;
	if (all == R_NilValue)
		return true;
	*names = CAR(all);
	return TAG(all) == R_NamesSymbol && CDR(all) == R_NilValue &&
	       TYPEOF(*names) == STRSXP && ATTRIB(*names) == R_NilValue;
}

static SEXP names_of(SEXP x)
{
	SEXP all = ATTRIB(x);
	return all == R_NilValue ? R_NilValue : CAR(all);
}
#endif

/* Bytes of an element, 0 where the vector has no data of that kind. */
static size_t width(SEXPTYPE type)
{
	switch (type) {
	case LGLSXP:
	case INTSXP:
		return sizeof(int);
	case REALSXP:
		return sizeof(double);
	case CPLXSXP:
		return sizeof(Rcomplex);
	case RAWSXP:
		return 1;
	default:
		return 0;
	}
}

static bool are_same(SEXP a, SEXP b)
{
	if (a == b)
		return true;
	R_xlen_t n = Rf_xlength(a);
	if (Rf_xlength(b) != n)
		return false;
	for (R_xlen_t i = 0; i < n; i++)
		if (STRING_ELT(a, i) != STRING_ELT(b, i))
			return false;
	return true;
}

/* What has been found to fit last: many are equal. */
struct fitting {
	size_t large;
	SEXP string, names;
};

/* What is not ASCII, and of the locale's own encoding, R_Serialize() names that
 * encoding for: a task may have changed it. */
static bool strings_fit(struct fitting *f, SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP s = STRING_ELT(x, i);
		if (s == f->string || Rf_getCharCE(s) != CE_NATIVE)
			continue;
		for (const char *c = CHAR(s); *c; c++)
			if ((unsigned char)*c > 127)
				return false;
		f->string = s;
	}
	return true;
}

static bool names_fit(struct fitting *f, SEXP names)
{
	if (names == R_NilValue || are_same(f->names, names))
		return true;
	if (!strings_fit(f, names))
		return false;
	f->names = names;
	return true;
}

static bool fits(struct fitting *f, SEXP x, int depth)
{
	if (x == R_NilValue)
		return true;
	SEXPTYPE type = (SEXPTYPE)TYPEOF(x);
	if (type != VECSXP && type != STRSXP && width(type) == 0)
		return false;
	SEXP names;
	if (!is_plain(x, &names) || Rf_isS4(x) || !names_fit(f, names))
		return false;
	R_xlen_t n = Rf_xlength(x);
	if (type == STRSXP)
		return (size_t)n < f->large / CODEC_STRING && strings_fit(f, x);
	if (type != VECSXP)
		return (size_t)n < f->large / width(type) &&
		       (n <= COMPACT || DATAPTR_OR_NULL(x));
	if (depth == 0)
		return false;
	for (R_xlen_t i = 0; i < n; i++)
		if (!fits(f, VECTOR_ELT(x, i), depth - 1))
			return false;
	return true;
}

bool codec_fits(SEXP x, size_t large)
{
	struct fitting f = {large, R_NilValue, R_BlankString};
	return fits(&f, x, DEEPEST);
}

/* ---- writing ---- */

struct writer {
	const struct codec_sink *to;
	SEXP names; /* the last ones */
	size_t len;
	unsigned char block[BLOCK];
};

static void flush(struct writer *w)
{
	if (w->len > 0)
		w->to->put(w->to->of, w->block, w->len);
	w->len = 0;
}

static void put(struct writer *w, const void *bytes, size_t n)
{
	if (n > BLOCK - w->len)
		flush(w);
	if (n > BLOCK) {
		w->to->put(w->to->of, bytes, n);
		return;
	}
	if (n > 0)
		memcpy(w->block + w->len, bytes, n);
	w->len += n;
}

static void put_byte(struct writer *w, unsigned value)
{
	unsigned char byte = (unsigned char)value;
	put(w, &byte, 1);
}

static void put_length(struct writer *w, R_xlen_t n)
{
	uint64_t length = (uint64_t)n;
	put(w, &length, sizeof(length));
}

/* Elements i .. i + n - 1 of a vector that has data. */
static void region(SEXP x, R_xlen_t i, R_xlen_t n, void *to)
{
	switch (TYPEOF(x)) {
	case LGLSXP:
		LOGICAL_GET_REGION(x, i, n, to);
		break;
	case INTSXP:
		INTEGER_GET_REGION(x, i, n, to);
		break;
	case REALSXP:
		REAL_GET_REGION(x, i, n, to);
		break;
	case CPLXSXP:
		COMPLEX_GET_REGION(x, i, n, to);
		break;
	default:
		RAW_GET_REGION(x, i, n, to);
	}
}

static void put_data(struct writer *w, SEXP x, R_xlen_t n)
{
	size_t size = width((SEXPTYPE)TYPEOF(x));
	const void *data = DATAPTR_OR_NULL(x);
	if (data) {
		put(w, data, (size_t)n * size);
		return;
	}
	unsigned char some[sizeof(Rcomplex)];
	for (R_xlen_t i = 0; i < n; i++) {
		region(x, i, 1, some);
		put(w, some, size);
	}
}

static void put_string(struct writer *w, SEXP s)
{
	int32_t length = s == NA_STRING ? -1 : (int32_t)LENGTH(s);
	put(w, &length, sizeof(length));
	put_byte(w, (unsigned)Rf_getCharCE(s));
	if (length > 0)
		put(w, CHAR(s), (size_t)length);
}

/* The type of all of a list's elements, if they are vectors of length one of
 * the same; or NILSXP. */
static SEXPTYPE scalar_type(SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	SEXPTYPE type = n > 0 ? (SEXPTYPE)TYPEOF(VECTOR_ELT(x, 0)) : NILSXP;
	if (type == VECSXP)
		return NILSXP;
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP e = VECTOR_ELT(x, i);
		if ((SEXPTYPE)TYPEOF(e) != type || Rf_xlength(e) != 1 ||
		    names_of(e) != R_NilValue)
			return NILSXP;
	}
	return type;
}

static void put_item(struct writer *w, SEXP x);

static void put_list(struct writer *w, SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	SEXPTYPE type = scalar_type(x);
	if (type == NILSXP) {
		put_byte(w, LIST);
		put_length(w, n);
		for (R_xlen_t i = 0; i < n; i++)
			put_item(w, VECTOR_ELT(x, i));
		return;
	}
	put_byte(w, SCALARS);
	put_byte(w, type);
	put_length(w, n);
	for (R_xlen_t i = 0; i < n; i++)
		if (type == STRSXP)
			put_string(w, STRING_ELT(VECTOR_ELT(x, i), 0));
		else
			put_data(w, VECTOR_ELT(x, i), 1);
}

static void put_strings(struct writer *w, SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	put_length(w, n);
	for (R_xlen_t i = 0; i < n; i++)
		put_string(w, STRING_ELT(x, i));
}

/* Records of a kind have the same names. */
static void put_names(struct writer *w, SEXP names)
{
	bool again = w->names != R_NilValue && are_same(w->names, names);
	put_byte(w, WITH_NAMES);
	put_byte(w, again);
	if (!again)
		put_strings(w, names);
	w->names = names;
}

static void put_item(struct writer *w, SEXP x)
{
	if (x == R_NilValue) {
		put_byte(w, NOTHING);
		return;
	}
	SEXP names = names_of(x);
	if (names != R_NilValue)
		put_names(w, names);
	R_xlen_t n = Rf_xlength(x);
	switch (TYPEOF(x)) {
	case VECSXP:
		put_list(w, x);
		break;
	case STRSXP:
		put_byte(w, STRINGS);
		put_strings(w, x);
		break;
	default:
		put_byte(w, VECTOR);
		put_byte(w, (unsigned)TYPEOF(x));
		put_length(w, n);
		put_data(w, x, n);
	}
}

void codec_write(SEXP x, const struct codec_sink *to)
{
	struct writer w = {.to = to, .names = R_NilValue};
	put_item(&w, x);
	flush(&w);
}

/* ---- reading ---- */

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
	if (width(type) == 0 && !(strings && type == STRSXP))
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
	get(r, data(x), (size_t)n * width(type));
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
	if (length <= BLOCK) {
		char some[BLOCK];
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
	size_t size = width(type);
	for (R_xlen_t k = 0; k < n; k++) {
		SEXP e = Rf_allocVector(type, 1);
		memcpy(data(e), from + (size_t)k * size, size);
		SET_VECTOR_ELT(x, i + k, e);
	}
}

static void get_scalars(struct reader *r, SEXP to, R_xlen_t at, R_xlen_t n,
			SEXPTYPE type)
{
	unsigned char some[BLOCK];
	if (type == STRSXP) {
		for (R_xlen_t i = 0; i < n; i++)
			SET_VECTOR_ELT(to, at + i,
				       Rf_ScalarString(get_string(r)));
		return;
	}
	R_xlen_t most = (R_xlen_t)(BLOCK / width(type));
	for (R_xlen_t i = 0; i < n; i += most) {
		R_xlen_t k = n - i < most ? n - i : most;
		get(r, some, (size_t)k * width(type));
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
