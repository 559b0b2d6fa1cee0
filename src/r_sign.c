/*
 * Digests and base64 for what R signs itself, shared access signatures, and for
 * packs of records; and these cut apart.
 */
#include <string.h>

#include "digest.h"
#include "r_entry.h"
#include "r_util.h"

SEXP C_base64_encode(SEXP bytes)
{
	size_t n = (size_t)Rf_xlength(bytes);
	char *text = R_alloc(BASE64_SIZE(n), 1);
	base64_encode(RAW(bytes), n, text);
	return Rf_mkString(text);
}

/* NULL where it is not base64. */
SEXP C_base64_decode(SEXP text)
{
	const char *from = r_string(text);
	size_t room = (size_t)LENGTH(STRING_ELT(text, 0)) + 1;
	unsigned char *to = (unsigned char *)R_alloc(room, 1);
	ssize_t n = base64_decode(from, to, room);
	if (n < 0)
		return R_NilValue;
	SEXP bytes = Rf_allocVector(RAWSXP, n);
	for (ssize_t i = 0; i < n; i++)
		RAW(bytes)[i] = to[i];
	return bytes;
}

SEXP C_hmac(SEXP key, SEXP bytes)
{
	SEXP mac = PROTECT(Rf_allocVector(RAWSXP, DIGEST_SHA256));
	int rc = digest_hmac(RAW(key), (size_t)Rf_xlength(key), RAW(bytes),
			     (size_t)Rf_xlength(bytes), RAW(mac));
	if (rc < 0)
		r_throw("digest", rc);
	UNPROTECT(1);
	return mac;
}

SEXP C_md5(SEXP bytes)
{
	struct digest d = {0};
	char text[DIGEST_MD5_TEXT];
	int rc = digest_start(&d);
	if (rc == 0)
		rc = digest_add(&d, RAW(bytes), (size_t)Rf_xlength(bytes));
	if (rc == 0)
		rc = digest_end(&d, text);
	digest_release(&d);
	if (rc < 0)
		r_throw("digest", rc);
	return Rf_mkString(text);
}

/*
 * The records that lie one behind the other in raw vector `bytes`, from byte
 * `at` on: a list of raw vectors of these sizes; NULL where they do not fit.
 */
SEXP C_cut(SEXP bytes, SEXP at, SEXP sizes)
{
	R_xlen_t n = Rf_xlength(sizes);
	double room = (double)Rf_xlength(bytes) - Rf_asReal(at);
	SEXP records = PROTECT(Rf_allocVector(VECSXP, n));
	const unsigned char *from = RAW(bytes) + (R_xlen_t)Rf_asReal(at);
	for (R_xlen_t i = 0; i < n; i++) {
		double size = REAL(sizes)[i];
		if (!(size >= 0 && size <= room &&
		      size == (double)(R_xlen_t)size)) {
			UNPROTECT(1);
			return R_NilValue;
		}
		SEXP one = Rf_allocVector(RAWSXP, (R_xlen_t)size);
		SET_VECTOR_ELT(records, i, one);
		if (Rf_xlength(one) > 0)
			memcpy(RAW(one), from, (size_t)Rf_xlength(one));
		from += Rf_xlength(one);
		room -= (double)Rf_xlength(one);
	}
	UNPROTECT(1);
	return records;
}
