/* Parts of vectors. */
#include "r_part.h"

/* Elements first .. first + count - 1 of a vector, without attributes. */
static SEXP part(SEXP x, size_t first, size_t count)
{
	R_xlen_t from = (R_xlen_t)first;
	R_xlen_t n = (R_xlen_t)count;
	if (!Rf_isVector(x) || from + n > Rf_xlength(x))
		Rf_error("there are not as many elements");
	SEXP y = PROTECT(Rf_allocVector((SEXPTYPE)TYPEOF(x), n));
	switch (TYPEOF(x)) {
	case LGLSXP:
		LOGICAL_GET_REGION(x, from, n, LOGICAL(y));
		break;
	case INTSXP:
		INTEGER_GET_REGION(x, from, n, INTEGER(y));
		break;
	case REALSXP:
		REAL_GET_REGION(x, from, n, REAL(y));
		break;
	case CPLXSXP:
		COMPLEX_GET_REGION(x, from, n, COMPLEX(y));
		break;
	case RAWSXP:
		RAW_GET_REGION(x, from, n, RAW(y));
		break;
	case STRSXP:
		for (R_xlen_t i = 0; i < n; i++)
			SET_STRING_ELT(y, i, STRING_ELT(x, from + i));
		break;
	default:
		for (R_xlen_t i = 0; i < n; i++)
			SET_VECTOR_ELT(y, i, VECTOR_ELT(x, from + i));
	}
	UNPROTECT(1);
	return y;
}

SEXP r_part(SEXP x, bool columns, size_t first, size_t count)
{
	if (!columns)
		return part(x, first, count);
	R_xlen_t n = Rf_xlength(x);
	SEXP parts = PROTECT(Rf_allocVector(VECSXP, n));
	for (R_xlen_t i = 0; i < n; i++)
		SET_VECTOR_ELT(parts, i, part(VECTOR_ELT(x, i), first, count));
	Rf_setAttrib(parts, R_NamesSymbol, Rf_getAttrib(x, R_NamesSymbol));
	UNPROTECT(1);
	return parts;
}
