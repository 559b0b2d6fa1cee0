/*
 * The elements of a claim, evaluated in a worker.
 *
 * A claim is list(values, index): the index, counted here, tells after an error
 * how far the claim has got.
 */
#include "r_entry.h"
#include "r_node.h"
#include "r_util.h"

static int *claim_index(SEXP claim)
{
	return INTEGER(VECTOR_ELT(claim, 1));
}

static void claim_value(SEXP claim, SEXP value)
{
	r_node_end(false);
	SET_VECTOR_ELT(VECTOR_ELT(claim, 0), (*claim_index(claim))++, value);
}

/* The running element has failed: on to the next. Its number, from 1. */
SEXP C_claim_skip(SEXP claim)
{
	r_node_end(true);
	return Rf_ScalarInteger(++*claim_index(claim));
}

/* As lapply() does it, in the frame `env` that has X, FUN and ... : its call,
 * and an index that changes under it, where nobody else has taken hold of it.
 */
SEXP C_claim_lapply(SEXP env, SEXP claim)
{
	SEXP index = Rf_install("i");
	SEXP x = Rf_install("X");
	SEXP element = PROTECT(Rf_lang3(R_Bracket2Symbol, x, index));
	SEXP call = PROTECT(Rf_lang3(Rf_install("FUN"), element, R_DotsSymbol));
	R_xlen_t n = Rf_xlength(VECTOR_ELT(claim, 0));
	SEXP i = R_NilValue;
	PROTECT_INDEX at;
	PROTECT_WITH_INDEX(i, &at);
	while (*claim_index(claim) < n && r_node_begin(*claim_index(claim))) {
		if (i == R_NilValue || MAYBE_SHARED(i)) {
			REPROTECT(i = Rf_allocVector(INTSXP, 1), at);
			Rf_defineVar(index, i, env);
		}
		INTEGER(i)[0] = *claim_index(claim) + 1;
		claim_value(claim, R_forceAndCall(call, 1, env));
	}
	UNPROTECT(3);
	return R_NilValue;
}

static SEXP element(SEXP column, R_xlen_t i)
{
	if (!Rf_isVector(column) || i >= Rf_xlength(column))
		Rf_error("there are not as many elements");
	switch (TYPEOF(column)) {
	case LGLSXP:
		return Rf_ScalarLogical(LOGICAL_ELT(column, i));
	case INTSXP:
		return Rf_ScalarInteger(INTEGER_ELT(column, i));
	case REALSXP:
		return Rf_ScalarReal(REAL_ELT(column, i));
	case CPLXSXP:
		return Rf_ScalarComplex(COMPLEX_ELT(column, i));
	case RAWSXP:
		return Rf_ScalarRaw(RAW_ELT(column, i));
	case STRSXP:
		return Rf_ScalarString(STRING_ELT(column, i));
	default:
		return VECTOR_ELT(column, i);
	}
}

/* A cell of a call's arguments: quote(value), with its name as tag. */
static SEXP argument(SEXP quote, SEXP value, SEXP names, R_xlen_t k, SEXP rest)
{
	SEXP cell = PROTECT(Rf_cons(PROTECT(Rf_lang2(quote, value)), rest));
	if (names != R_NilValue && LENGTH(STRING_ELT(names, k)) > 0)
		SET_TAG(cell, Rf_installTrChar(STRING_ELT(names, k)));
	UNPROTECT(2);
	return cell;
}

/* The arguments of a list, quoted, as a call's cells. */
static SEXP arguments(SEXP quote, SEXP list)
{
	SEXP names = PROTECT(Rf_getAttrib(list, R_NamesSymbol));
	SEXP cells = R_NilValue;
	PROTECT_INDEX at;
	PROTECT_WITH_INDEX(cells, &at);
	for (R_xlen_t k = Rf_xlength(list); k-- > 0;)
		REPROTECT(cells = argument(quote, VECTOR_ELT(list, k), names, k,
					   cells),
			  at);
	UNPROTECT(2);
	return cells;
}

/* runner(X = x, FUN = fun, more), which comes back as C_claim_lapply(). */
SEXP C_claim_apply(SEXP runner, SEXP fun, SEXP x, SEXP more, SEXP quote)
{
	SEXP cells = PROTECT(arguments(quote, more));
	SEXP call = PROTECT(Rf_lcons(
		runner, PROTECT(Rf_cons(x, PROTECT(Rf_cons(fun, cells))))));
	SET_TAG(CDR(call), Rf_install("X"));
	SET_TAG(CDDR(call), Rf_install("FUN"));
	Rf_eval(call, R_GlobalEnv);
	UNPROTECT(4);
	return R_NilValue;
}

/* fun(columns[[1]][[i]], ..., more) for every i of the claim, as
 * do.call(quote = TRUE) does it from the global environment; `quote` is what
 * it writes for quote(). */
SEXP C_claim_map(SEXP fun, SEXP columns, SEXP more, SEXP claim, SEXP quote)
{
	SEXP head = TYPEOF(fun) == STRSXP ? Rf_installTrChar(STRING_ELT(fun, 0))
					  : fun;
	SEXP names = PROTECT(Rf_getAttrib(columns, R_NamesSymbol));
	SEXP tail = PROTECT(arguments(quote, more));
	R_xlen_t n = Rf_xlength(VECTOR_ELT(claim, 0));
	while (*claim_index(claim) < n && r_node_begin(*claim_index(claim))) {
		R_xlen_t i = *claim_index(claim);
		SEXP args = tail;
		PROTECT_INDEX here;
		PROTECT_WITH_INDEX(args, &here);
		for (R_xlen_t k = Rf_xlength(columns); k-- > 0;) {
			SEXP x = PROTECT(element(VECTOR_ELT(columns, k), i));
			SEXP cell = argument(quote, x, names, k, args);
			UNPROTECT(1);
			REPROTECT(args = cell, here);
		}
		SEXP call = PROTECT(Rf_lcons(head, args));
		claim_value(claim, Rf_eval(call, R_GlobalEnv));
		UNPROTECT(2);
	}
	UNPROTECT(2);
	return R_NilValue;
}

/* The running element has so many steps, which the session may cut short. */
SEXP C_claim_steps(SEXP most)
{
	struct record *record = r_node_record();
	if (record)
		record_steps(record, (uint32_t)Rf_asInteger(most));
	return R_NilValue;
}

/* Is another one to begin? */
SEXP C_claim_step(void)
{
	struct record *record = r_node_record();
	return Rf_ScalarLogical(!record || record_step(record));
}
