/* Which objects are plain, and writing them. */
#include "r_codec.h"

#include <stdint.h>
#include <string.h>

#include <Rversion.h>

#include "r_codec_form.h"

enum { COMPACT = 1024 }; /* of what is longer than this, R keeps the formula */

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
	if (type != VECSXP && type != STRSXP && r_width(type) == 0)
		return false;
	SEXP names;
	if (!is_plain(x, &names) || Rf_isS4(x) || !names_fit(f, names))
		return false;
	R_xlen_t n = Rf_xlength(x);
	if (type == STRSXP)
		return (size_t)n < f->large / CODEC_STRING && strings_fit(f, x);
	if (type != VECSXP)
		return (size_t)n < f->large / r_width(type) &&
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
	return fits(&f, x, CODEC_DEEPEST);
}

/* ---- writing ---- */

struct writer {
	const struct codec_sink *to;
	SEXP names; /* the last ones */
	size_t len;
	unsigned char block[CODEC_BLOCK];
};

static void flush(struct writer *w)
{
	if (w->len > 0)
		w->to->put(w->to->of, w->block, w->len);
	w->len = 0;
}

static void put(struct writer *w, const void *bytes, size_t n)
{
	if (n > CODEC_BLOCK - w->len)
		flush(w);
	if (n > CODEC_BLOCK) {
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
	size_t size = r_width((SEXPTYPE)TYPEOF(x));
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
