/* Numbers, logicals, complexes and raws over mapped segments: one ALTREP class
 * for each type. */
#include "r_vector.h"

#include <R_ext/Altrep.h>

#include "r_mapping.h"

static struct {
	SEXPTYPE type;
	R_altrep_class_t class;
} classes[] = {{.type = LGLSXP},
	       {.type = INTSXP},
	       {.type = REALSXP},
	       {.type = CPLXSXP},
	       {.type = RAWSXP}};

enum { CLASSES = sizeof(classes) / sizeof(*classes) };

/* The index of the class for a type, or CLASSES. */
static size_t class_of(SEXPTYPE type)
{
	size_t k = 0;
	while (k < CLASSES && classes[k].type != type)
		k++;
	return k;
}

static void *vector_data(SEXP x, Rboolean writable)
{
	struct mapping *m = r_mapping(x);
	m->written = m->written || writable;
	return m->at;
}

static const void *vector_data_or_null(SEXP x)
{
	return r_mapping_is_stand_in(x) ? NULL : r_mapping(x)->at;
}

static SEXP vector_duplicate(SEXP x, Rboolean deep)
{
	(void)deep;
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	SEXP pointer = r_mapping_again(x, r_width(classes[k].type));
	if (!pointer)
		return NULL; /* R copies it */
	PROTECT(pointer);
	SEXP y = R_new_altrep(classes[k].class, pointer, R_NilValue);
	UNPROTECT(1);
	return y;
}

static SEXP vector_unserialize(SEXP class, SEXP state)
{
	size_t k = 0;
	while (k < CLASSES && R_SEXP(classes[k].class) != class)
		k++;
	if (k == CLASSES)
		Rf_error("a large vector of no known class");
	SEXP pointer =
		PROTECT(r_mapping_claim(state, r_width(classes[k].type)));
	SEXP x = R_new_altrep(classes[k].class, pointer, R_NilValue);
	UNPROTECT(1);
	return x;
}

static int logical_at(SEXP x, R_xlen_t i)
{
	return ((const int *)vector_data(x, FALSE))[i];
}

static int integer_at(SEXP x, R_xlen_t i)
{
	return ((const int *)vector_data(x, FALSE))[i];
}

static double real_at(SEXP x, R_xlen_t i)
{
	return ((const double *)vector_data(x, FALSE))[i];
}

static Rcomplex complex_at(SEXP x, R_xlen_t i)
{
	return ((const Rcomplex *)vector_data(x, FALSE))[i];
}

static Rbyte raw_at(SEXP x, R_xlen_t i)
{
	return ((const Rbyte *)vector_data(x, FALSE))[i];
}

void r_vector_init(DllInfo *dll)
{
	R_altrep_class_t c;
	classes[0].class = c =
		R_make_altlogical_class("large_logical", "pool", dll);
	R_set_altlogical_Elt_method(c, logical_at);
	classes[1].class = c =
		R_make_altinteger_class("large_integer", "pool", dll);
	R_set_altinteger_Elt_method(c, integer_at);
	classes[2].class = c = R_make_altreal_class("large_real", "pool", dll);
	R_set_altreal_Elt_method(c, real_at);
	classes[3].class = c =
		R_make_altcomplex_class("large_complex", "pool", dll);
	R_set_altcomplex_Elt_method(c, complex_at);
	classes[4].class = c = R_make_altraw_class("large_raw", "pool", dll);
	R_set_altraw_Elt_method(c, raw_at);
	for (size_t k = 0; k < CLASSES; k++) {
		c = classes[k].class;
		r_mapping_methods(c);
		R_set_altrep_Duplicate_method(c, vector_duplicate);
		R_set_altrep_Unserialize_method(c, vector_unserialize);
		R_set_altvec_Dataptr_method(c, vector_data);
		R_set_altvec_Dataptr_or_null_method(c, vector_data_or_null);
	}
}

SEXP r_vector_stand_in(SEXP x, uint64_t id)
{
	SEXP state = PROTECT(r_mapping_state(id, (size_t)Rf_xlength(x)));
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	SEXP y = PROTECT(R_new_altrep(classes[k].class, state, R_NilValue));
	SHALLOW_DUPLICATE_ATTRIB(y, x);
	UNPROTECT(2);
	return y;
}

bool r_vector_is_large(SEXP x)
{
	return r_vector_bytes(x) >= VECTOR_LARGE;
}

size_t r_vector_bytes(SEXP x)
{
	size_t width = r_width((SEXPTYPE)TYPEOF(x));
	return width > 0 ? (size_t)Rf_xlength(x) * width : 0;
}

int r_vector_segment(SEXP x)
{
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	return ALTREP(x) && R_altrep_inherits(x, classes[k].class)
		       ? r_mapping_segment(x)
		       : -1;
}
