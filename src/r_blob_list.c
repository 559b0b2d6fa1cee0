/* A page of List Blobs as R objects. */
#include "r_util.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blob_list.h"
#include "r_entry.h"

/* What is acquired hangs on an external pointer, so that an R error in the
 * middle loses nothing. */
static void release(SEXP handle)
{
	struct blob_list *list = R_ExternalPtrAddr(handle);
	if (list) {
		R_ClearExternalPtr(handle);
		blob_list_release(list);
		free(list);
	}
}

static SEXP new_handle(void)
{
	SEXP handle = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizer(handle, release);
	struct blob_list *list = calloc(1, sizeof *list);
	if (!list)
		r_throw("call", -ENOMEM);
	R_SetExternalPtrAddr(handle, list);
	UNPROTECT(1);
	return handle;
}

/* No cell: NA. */
static SEXP text(const struct blob_list *l, struct blob_cell cell)
{
	if (cell.len == 0)
		return NA_STRING;
	return Rf_mkCharLenCE((const char *)l->texts.bytes + cell.at,
			      (int)cell.len, CE_UTF8);
}

static SEXP column(const struct blob_list *l, const struct blob_column *c)
{
	SEXP values = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)l->n));
	for (size_t i = 0; i < l->n; i++)
		SET_STRING_ELT(values, (R_xlen_t)i,
			       i < c->n ? text(l, c->cells[i]) : NA_STRING);
	UNPROTECT(1);
	return values;
}

static SEXP as_list(const struct blob_list *l)
{
	static const char *names[] = {"isdir", "columns", "marker", ""};
	SEXP value = PROTECT(Rf_mkNamed(VECSXP, names));
	SEXP isdir = Rf_allocVector(LGLSXP, (R_xlen_t)l->n);
	SET_VECTOR_ELT(value, 0, isdir);
	for (size_t i = 0; i < l->n; i++)
		LOGICAL(isdir)[i] = l->prefix[i];
	SEXP columns = Rf_allocVector(VECSXP, (R_xlen_t)l->n_columns);
	SET_VECTOR_ELT(value, 1, columns);
	SEXP titles = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)l->n_columns));
	for (size_t i = 0; i < l->n_columns; i++) {
		SET_VECTOR_ELT(columns, (R_xlen_t)i, column(l, &l->columns[i]));
		SET_STRING_ELT(titles, (R_xlen_t)i,
			       text(l, l->columns[i].name));
	}
	Rf_setAttrib(columns, R_NamesSymbol, titles);
	if (l->marker.len > 0)
		SET_VECTOR_ELT(value, 2, Rf_ScalarString(text(l, l->marker)));
	UNPROTECT(2);
	return value;
}

/* body: raw; wanted: names of columns, or NULL for all. A list of isdir,
 * columns and marker; or a string: why it is none. */
SEXP C_blob_list(SEXP body, SEXP wanted)
{
	size_t n = (size_t)Rf_xlength(wanted);
	const char **names = NULL;
	if (wanted != R_NilValue) {
		names = (const char **)(void *)R_alloc(n + 1, sizeof *names);
		for (size_t i = 0; i < n; i++)
			names[i] = CHAR(STRING_ELT(wanted, (R_xlen_t)i));
	}
	/* The texts of a page are offsets into its own memory, and each string
	 * has to fit into one of R's. */
	if (XLENGTH(body) > INT32_MAX)
		return Rf_mkString("it is too large");
	SEXP handle = PROTECT(new_handle());
	struct blob_list *list = R_ExternalPtrAddr(handle);
	int rc = blob_list_read(list, RAW(body), (size_t)XLENGTH(body), names,
				n);
	SEXP value = rc == 0	      ? as_list(list)
		     : rc == -EBADMSG ? Rf_mkString("it is not well-formed")
				      : Rf_mkString(strerror(-rc));
	PROTECT(value);
	release(handle);
	UNPROTECT(2);
	return value;
}
