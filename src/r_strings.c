/*
 * Character vectors over mapped segments.
 *
 * A segment holds n + 1 words, then the strings' bytes one after the other.
 * Word i: where string i begins, from the first byte on, and in its highest
 * byte what it is. The vector's second slot is NULL, or a character vector with
 * the strings that have been asked for: whoever asks for one need not protect
 * it. An empty string in it may be one that has not.
 */
#include "r_strings.h"

#include <limits.h>
#include <string.h>

#include <R_ext/Altrep.h>

#include "r_codec.h"
#include "r_mapping.h"
#include "r_vector.h"

static const R_xlen_t LARGE = VECTOR_LARGE / CODEC_STRING;

enum kind { KIND_NATIVE, KIND_UTF8, KIND_LATIN1, KIND_BYTES, KIND_NA };

enum { KIND_SHIFT = 56 };
static const uint64_t OFFSET = (UINT64_C(1) << KIND_SHIFT) - 1;

static R_altrep_class_t class;

/* ---- the sender ---- */

bool r_strings_are_large(SEXP x)
{
	return TYPEOF(x) == STRSXP && Rf_xlength(x) >= LARGE;
}

static bool is_ascii(const char *s, size_t n)
{
	unsigned char all = 0;
	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)s[i];
	return all < 0x80;
}

static enum kind kind_of(SEXP s)
{
	if (s == NA_STRING)
		return KIND_NA;
	switch (Rf_getCharCE(s)) {
	case CE_UTF8:
		return KIND_UTF8;
	case CE_LATIN1:
		return KIND_LATIN1;
	case CE_BYTES:
		return KIND_BYTES;
	default:
		return KIND_NATIVE;
	}
}

const void *r_strings_pack(SEXP x, size_t *size)
{
	size_t n = (size_t)Rf_xlength(x), bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += (size_t)LENGTH(STRING_ELT(x, (R_xlen_t)i));
	*size = (n + 1) * sizeof(uint64_t) + bytes;
	uint64_t *words = (uint64_t *)(void *)R_alloc(*size, 1);
	char *first = (char *)(words + n + 1);
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		SEXP s = STRING_ELT(x, (R_xlen_t)i);
		enum kind kind = kind_of(s);
		size_t len = kind == KIND_NA ? 0 : (size_t)LENGTH(s);
		if (len > bytes - at)
			return NULL; /* it changes under our eyes */
		words[i] = at | (uint64_t)kind << KIND_SHIFT;
		memcpy(first + at, CHAR(s), len);
		if (kind == KIND_NATIVE && !is_ascii(first + at, len))
			return NULL;
		at += len;
	}
	words[n] = at;
	*size -= bytes - at; /* what NA seemed to need */
	return words;
}

SEXP r_strings_stand_in(SEXP x, uint64_t id)
{
	SEXP state = PROTECT(r_mapping_state(id, (size_t)Rf_xlength(x)));
	SEXP y = PROTECT(R_new_altrep(class, state, R_NilValue));
	SHALLOW_DUPLICATE_ATTRIB(y, x);
	UNPROTECT(2);
	return y;
}

int r_strings_segment(SEXP x)
{
	return ALTREP(x) && R_altrep_inherits(x, class) ? r_mapping_segment(x)
							: -1;
}

/* ---- the receiver ---- */

/* String i of the segment. Its maker may have written anything: words are read
 * once, and checked. */
static SEXP read_string(const struct mapping *m, size_t i)
{
	static const cetype_t encodings[] = {[KIND_NATIVE] = CE_NATIVE,
					     [KIND_UTF8] = CE_UTF8,
					     [KIND_LATIN1] = CE_LATIN1,
					     [KIND_BYTES] = CE_BYTES};
	uint64_t word[2];
	memcpy(word, m->at + i * sizeof(*word), sizeof(word));
	size_t head = (m->length + 1) * sizeof(*word);
	uint64_t begin = word[0] & OFFSET, end = word[1] & OFFSET;
	uint64_t kind = word[0] >> KIND_SHIFT;
	if (begin > end || end > m->size - head || end - begin > INT_MAX ||
	    kind > KIND_NA)
		Rf_error("a large character vector makes no sense");
	if (kind == KIND_NA)
		return NA_STRING;
	return Rf_mkCharLenCE((const char *)m->at + head + begin,
			      (int)(end - begin), encodings[kind]);
}

/* Those that have been asked for. */
static SEXP known(SEXP x)
{
	SEXP all = R_altrep_data2(x);
	if (all == R_NilValue) {
		all = Rf_allocVector(STRSXP, r_mapping_length(x));
		R_set_altrep_data2(x, all);
	}
	return all;
}

static SEXP strings_at(SEXP x, R_xlen_t i)
{
	const struct mapping *m = r_mapping(x);
	SEXP all = known(x);
	SEXP s = STRING_ELT(all, i);
	if (s == R_BlankString && !m->known) {
		s = read_string(m, (size_t)i);
		SET_STRING_ELT(all, i, s);
	}
	return s;
}

/* All of them, which from now on may be changed. */
static SEXP expand(SEXP x, bool to_write)
{
	struct mapping *m = r_mapping(x);
	SEXP all = known(x);
	for (size_t i = 0; !m->known && i < m->length; i++)
		(void)strings_at(x, (R_xlen_t)i);
	m->known = true;
	m->written = m->written || to_write;
	return all;
}

static void strings_set(SEXP x, R_xlen_t i, SEXP s)
{
	SET_STRING_ELT(expand(x, true), i, s);
}

static void *strings_data(SEXP x, Rboolean writable)
{
	return (void *)(size_t)STRING_PTR_RO(expand(x, writable));
}

/* Only once they are known: others would be left out. */
static const void *strings_data_or_null(SEXP x)
{
	return !r_mapping_is_stand_in(x) && r_mapping(x)->known
		       ? STRING_PTR_RO(R_altrep_data2(x))
		       : NULL;
}

static SEXP strings_duplicate(SEXP x, Rboolean deep)
{
	(void)deep;
	SEXP pointer = r_mapping_again(x, sizeof(uint64_t));
	if (!pointer)
		return NULL; /* R copies it */
	PROTECT(pointer);
	SEXP y = R_new_altrep(class, pointer, R_NilValue);
	UNPROTECT(1);
	return y;
}

static SEXP strings_unserialize(SEXP any, SEXP state)
{
	(void)any;
	SEXP pointer = PROTECT(r_mapping_claim(state, sizeof(uint64_t)));
	const struct mapping *m = R_ExternalPtrAddr(pointer);
	if (m->length + 1 > m->size / sizeof(uint64_t))
		Rf_error("a large character vector is not whole");
	SEXP x = R_new_altrep(class, pointer, R_NilValue);
	UNPROTECT(1);
	return x;
}

void r_strings_init(DllInfo *dll)
{
	class = R_make_altstring_class("large_character", "pool", dll);
	r_mapping_methods(class);
	R_set_altrep_Duplicate_method(class, strings_duplicate);
	R_set_altrep_Unserialize_method(class, strings_unserialize);
	R_set_altvec_Dataptr_method(class, strings_data);
	R_set_altvec_Dataptr_or_null_method(class, strings_data_or_null);
	R_set_altstring_Elt_method(class, strings_at);
	R_set_altstring_Set_elt_method(class, strings_set);
}
