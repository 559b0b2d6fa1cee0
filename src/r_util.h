/*
 * Glue shared by r_*.c: arguments from R, and the one way to throw.
 *
 * Everything here may jump. Own nothing, when calling, that is not held by an
 * external pointer or protected.
 */
#ifndef POOL_R_UTIL_H
#define POOL_R_UTIL_H

#include <stdbool.h>
#include <stddef.h>

#include <R.h>
#include <Rinternals.h>

/* The package's namespace, known from its load on. */
SEXP r_namespace(void);

/* Throws the condition that R's throw_failure() makes of a failed operation:
 * `what` names it, rc is 0 or -errno. */
_Noreturn void r_throw(const char *what, int rc);

/* Calls a function of the package without arguments. */
SEXP r_call(const char *function);

/* The value is valid until R's next allocation of that string's death. */
const char *r_string(SEXP x);

/* Strings in the native encoding, and NULL behind the last one: until the .Call
 * returns. */
char **r_c_strings(SEXP x);

/* Bytes of an element, 0 where a vector of that type has no data of its own. */
static inline size_t r_width(SEXPTYPE type)
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

#endif
