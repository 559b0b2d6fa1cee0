/* Glue shared by r_*.c. */
#include "r_util.h"

#include <string.h>

#include "r_entry.h"
#include "r_store.h"

static SEXP namespace;

SEXP C_load(SEXP env)
{
	namespace = env; /* a namespace is never collected while loaded */
	r_patience();
	return R_NilValue;
}

SEXP r_namespace(void)
{
	return namespace;
}

_Noreturn void r_throw(const char *what, int rc)
{
	SEXP call = PROTECT(Rf_lang4(
		Rf_install("throw_failure"), PROTECT(Rf_mkString(what)),
		PROTECT(Rf_ScalarInteger(-rc)),
		PROTECT(Rf_mkString(rc < 0 ? strerror(-rc) : ""))));
	Rf_eval(call, namespace);
	UNPROTECT(4);
	Rf_error("%s failed", what); /* not reached */
}

SEXP r_call(const char *function)
{
	SEXP call = PROTECT(Rf_lang1(Rf_install(function)));
	SEXP value = Rf_eval(call, namespace);
	UNPROTECT(1);
	return value;
}

const char *r_string(SEXP x)
{
	return CHAR(STRING_ELT(x, 0));
}

char **r_c_strings(SEXP x)
{
	R_xlen_t n = Rf_xlength(x);
	char **strings = (char **)R_alloc((size_t)n + 1, sizeof(char *));
	for (R_xlen_t i = 0; i < n; i++) {
		const char *s = Rf_translateChar(STRING_ELT(x, i));
		size_t size = strlen(s) + 1;
		strings[i] = memcpy(R_alloc(size, 1), s, size);
	}
	strings[n] = NULL;
	return strings;
}
