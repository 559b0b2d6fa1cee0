/*
 * Large vectors beside a message.
 *
 * One ALTREP class for each type. A stand-in's data is a raw vector, the name
 * of a segment and a length: what R_Serialize() writes. A mapped vector's data
 * is an external pointer to its mapping, and it is serialized as any other
 * vector.
 */
#include "r_vector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <R_ext/Altrep.h>
#include <R_ext/Memory.h>

#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "store.h"

enum { OPEN = 64 }; /* segments kept open to be mapped again */

/* R's collector cannot feel what is mapped: it is called after so much. */
static const size_t COLLECT_AFTER = (size_t)256 << 20;

static struct chan *source;

static pid_t owner;			 /* whose the counts are */
static size_t opened;			 /* mappings that keep a descriptor */
static size_t mapped;			 /* bytes, by all vectors that live */
static size_t collect_at = SIZE_MAX / 2; /* of `mapped` */

struct state { /* of a stand-in */
	uint64_t id;
	uint64_t length;
};

struct mapping {
	pid_t owner;
	void *at;
	size_t size;   /* bytes */
	size_t length; /* elements */
	int fd;	       /* of the segment, to map it again; -1: not kept */
	bool written;  /* or may have been: it is not what the segment is */
};

struct chan *r_vector_source(struct chan *from)
{
	struct chan *before = source;
	source = from;
	return before;
}

/* ---- the classes ---- */

static struct {
	SEXPTYPE type;
	size_t width;
	R_altrep_class_t class;
} classes[] = {{.type = LGLSXP, .width = sizeof(int)},
	       {.type = INTSXP, .width = sizeof(int)},
	       {.type = REALSXP, .width = sizeof(double)},
	       {.type = CPLXSXP, .width = sizeof(Rcomplex)},
	       {.type = RAWSXP, .width = 1}};

enum { CLASSES = sizeof(classes) / sizeof(*classes) };

/* The index of the class for a type, or CLASSES. */
static size_t class_of(SEXPTYPE type)
{
	size_t k = 0;
	while (k < CLASSES && classes[k].type != type)
		k++;
	return k;
}

static bool is_stand_in(SEXP x)
{
	return TYPEOF(R_altrep_data1(x)) == RAWSXP;
}

static struct mapping *mapping_of(SEXP x)
{
	if (is_stand_in(x))
		Rf_error("a stand-in has no data");
	struct mapping *m = R_ExternalPtrAddr(R_altrep_data1(x));
	if (!m)
		Rf_error("a large vector is no more: a finalizer uses it late");
	return m;
}

static R_xlen_t vector_length(SEXP x)
{
	if (!is_stand_in(x))
		return (R_xlen_t)mapping_of(x)->length;
	struct state s;
	memcpy(&s, RAW(R_altrep_data1(x)), sizeof(s));
	return (R_xlen_t)s.length;
}

static void *vector_data(SEXP x, Rboolean writable)
{
	struct mapping *m = mapping_of(x);
	m->written = m->written || writable;
	return m->at;
}

static const void *vector_data_or_null(SEXP x)
{
	return is_stand_in(x) ? NULL : mapping_of(x)->at;
}

static SEXP vector_state(SEXP x)
{
	return is_stand_in(x) ? R_altrep_data1(x) : NULL;
}

/* In a fork the counts and the descriptor are not ours. A finalizer that runs
 * after this one, in the same collection, can still reach the vector: it gets
 * an error. (To wait for the next collection would take another finalizer, and
 * R loses some of those that are registered in a finalizer.) */
static void unmap(SEXP pointer)
{
	struct mapping *m = R_ExternalPtrAddr(pointer);
	if (!m || m->owner != proc_self())
		return;
	R_ClearExternalPtr(pointer);
	mapped -= m->size;
	if (collect_at > mapped + COLLECT_AFTER)
		collect_at = mapped + COLLECT_AFTER;
	opened -= m->fd >= 0;
	io_close(&m->fd);
	(void)munmap(m->at, m->size);
	free(m);
}

/* A mapping of the descriptor, which is taken over: 0 or -errno. */
static int map(struct mapping **made, int fd, size_t length, size_t width)
{
	struct shm s;
	struct mapping *m = malloc(sizeof(*m));
	if (owner != proc_self()) { /* what was counted is the parent's */
		owner = proc_self();
		opened = mapped = 0;
	}
	int rc = shm_adopt(&s, fd);
	if (rc == 0)
		rc = !m			       ? -ENOMEM
		     : length > s.size / width ? -EPROTO
					       : shm_map(&s, SHM_COPIED);
	if (rc == 0) {
		*m = (struct mapping){.owner = owner,
				      .at = s.at,
				      .size = s.size,
				      .length = length,
				      .fd = -1};
		s.at = NULL; /* the mapping stays */
		mapped += m->size;
		if (opened < OPEN) {
			opened++;
			m->fd = s.fd;
			s.fd = -1;
		}
		*made = m;
	} else {
		free(m);
	}
	shm_release(&s);
	return rc;
}

/* A collection, if so much is mapped that there may be something to unmap. */
static void collect(void)
{
	if (mapped < collect_at)
		return;
	R_gc();
	collect_at = mapped + COLLECT_AFTER;
}

/* What a mapping is to hang on. */
static SEXP new_pointer(void)
{
	collect();
	SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizerEx(pointer, unmap, FALSE);
	UNPROTECT(1);
	return pointer;
}

static SEXP new_vector(size_t k, SEXP pointer, struct mapping *m)
{
	R_SetExternalPtrAddr(pointer, m);
	return R_new_altrep(classes[k].class, pointer, R_NilValue);
}

/* The segment mapped once more, as long as this mapping is still the same:
 * pages are copied when they are written. */
static SEXP vector_duplicate(SEXP x, Rboolean deep)
{
	(void)deep;
	const struct mapping *m = mapping_of(x);
	if (m->owner != proc_self() || m->written || m->fd < 0)
		return NULL; /* R copies it */
	SEXP pointer = PROTECT(new_pointer());
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	struct mapping *again = NULL;
	int fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
	SEXP y = NULL;
	if (fd >= 0 && map(&again, fd, m->length, classes[k].width) == 0)
		y = new_vector(k, pointer, again);
	UNPROTECT(1);
	return y;
}

static SEXP vector_unserialize(SEXP class, SEXP state)
{
	struct state s;
	size_t k = 0;
	while (k < CLASSES && R_SEXP(classes[k].class) != class)
		k++;
	if (k == CLASSES || !source || TYPEOF(state) != RAWSXP ||
	    Rf_xlength(state) != sizeof(s))
		Rf_error("a large vector came without its data");
	memcpy(&s, RAW(state), sizeof(s));
	SEXP pointer = PROTECT(new_pointer());
	struct mapping *m = NULL;
	int rc = link_claim(&source->link, wire_passed(&source->head), store_is,
			    &s.id);
	if (rc >= 0)
		rc = map(&m, rc, s.length, classes[k].width);
	if (rc < 0)
		Rf_error("the data of a large vector: %s", strerror(-rc));
	SEXP x = new_vector(k, pointer, m);
	UNPROTECT(1);
	return x;
}

static Rboolean vector_inspect(SEXP x, int pre, int deep, int pvec,
			       void (*inspect)(SEXP, int, int, int))
{
	(void)pre, (void)deep, (void)pvec, (void)inspect;
	Rprintf(" pool: %s\n", is_stand_in(x) ? "a stand-in" : "mapped");
	return TRUE;
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
		R_set_altrep_Length_method(c, vector_length);
		R_set_altrep_Duplicate_method(c, vector_duplicate);
		R_set_altrep_Inspect_method(c, vector_inspect);
		R_set_altrep_Serialized_state_method(c, vector_state);
		R_set_altrep_Unserialize_method(c, vector_unserialize);
		R_set_altvec_Dataptr_method(c, vector_data);
		R_set_altvec_Dataptr_or_null_method(c, vector_data_or_null);
	}
	collect_at = COLLECT_AFTER;
}

SEXP r_vector_stand_in(SEXP x, uint64_t id)
{
	struct state s = {.id = id, .length = (uint64_t)Rf_xlength(x)};
	SEXP state = PROTECT(Rf_allocVector(RAWSXP, sizeof(s)));
	memcpy(RAW(state), &s, sizeof(s));
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	SEXP y = PROTECT(R_new_altrep(classes[k].class, state, R_NilValue));
	SHALLOW_DUPLICATE_ATTRIB(y, x);
	UNPROTECT(2);
	return y;
}

bool r_vector_is_large(SEXP x)
{
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	return k < CLASSES &&
	       (size_t)Rf_xlength(x) >= VECTOR_LARGE / classes[k].width;
}

size_t r_vector_bytes(SEXP x)
{
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	return (size_t)Rf_xlength(x) * classes[k].width;
}

int r_vector_segment(SEXP x)
{
	size_t k = class_of((SEXPTYPE)TYPEOF(x));
	if (!ALTREP(x) || !R_altrep_inherits(x, classes[k].class))
		return -1;
	if (is_stand_in(x))
		return -1;
	const struct mapping *m = mapping_of(x);
	return m->owner == proc_self() && !m->written ? m->fd : -1;
}

SEXP C_vector_mapped(void)
{
	return Rf_ScalarLogical(owner == proc_self() && mapped > 0);
}
