/* The mappings of vectors over segments. */
#include "r_mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "store.h"

/* Segments kept open to be mapped again, while half of all descriptors are
 * free. */
enum { OPEN = 64 };

/* R's collector cannot feel what is mapped: it is called after so much, for the
 * young generation; for all after so much more. */
static const size_t COLLECT_AFTER = (size_t)256 << 20;
static const size_t COLLECT_ALL_AFTER = (size_t)1 << 30;

static struct chan *source;

static pid_t owner;	  /* whose the counts are */
static size_t opened;	  /* mappings that keep a descriptor */
static size_t mapped;	  /* bytes, by all vectors that live */
static size_t collect_at; /* of `mapped`; 0: as at first */
static size_t collect_all_at;

struct state { /* of a stand-in */
	uint64_t id;
	uint64_t length;
};

struct chan *r_mapping_source(struct chan *from)
{
	struct chan *before = source;
	source = from;
	return before;
}

SEXP r_mapping_state(uint64_t id, size_t length)
{
	struct state s = {.id = id, .length = length};
	SEXP state = Rf_allocVector(RAWSXP, sizeof(s));
	memcpy(RAW(state), &s, sizeof(s));
	return state;
}

bool r_mapping_is_stand_in(SEXP x)
{
	return TYPEOF(R_altrep_data1(x)) == RAWSXP;
}

struct mapping *r_mapping(SEXP x)
{
	if (r_mapping_is_stand_in(x))
		Rf_error("a stand-in has no data");
	struct mapping *m = R_ExternalPtrAddr(R_altrep_data1(x));
	if (!m)
		Rf_error("a large vector is no more: a finalizer uses it late");
	return m;
}

R_xlen_t r_mapping_length(SEXP x)
{
	if (!r_mapping_is_stand_in(x))
		return (R_xlen_t)r_mapping(x)->length;
	struct state s;
	memcpy(&s, RAW(R_altrep_data1(x)), sizeof(s));
	return (R_xlen_t)s.length;
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
	if (collect_all_at > mapped + COLLECT_ALL_AFTER)
		collect_all_at = mapped + COLLECT_ALL_AFTER;
	opened -= m->fd >= 0;
	io_close(&m->fd);
	(void)munmap(m->at, m->size);
	free(m);
}

/* A mapping of the descriptor, which is taken over: 0 or -errno. */
static int map(SEXP pointer, int fd, size_t length, size_t width)
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
		if (opened < OPEN && (size_t)s.fd < io_most() / 2) {
			opened++;
			m->fd = s.fd;
			s.fd = -1;
		}
		R_SetExternalPtrAddr(pointer, m);
	} else {
		free(m);
	}
	shm_release(&s);
	return rc;
}

/* Of the young generation: what was replaced since the last time is there. */
static void collect_young(void)
{
	SEXP call = PROTECT(
		Rf_lang2(Rf_install("gc"), PROTECT(Rf_ScalarLogical(FALSE))));
	SET_TAG(CDR(call), Rf_install("full"));
	(void)Rf_eval(call, R_BaseEnv);
	UNPROTECT(2);
}

/* A collection, if so much is mapped that there may be something to unmap. A
 * full one touches every page, which in a node means to copy it: it takes
 * longer than to map what is there a few times more. */
static void collect(void)
{
	if (collect_at == 0) {
		collect_at = COLLECT_AFTER;
		collect_all_at = COLLECT_ALL_AFTER;
	}
	if (mapped < collect_at)
		return;
	collect_young();
	if (mapped >= collect_all_at) {
		R_gc();
		collect_all_at = mapped + COLLECT_ALL_AFTER;
	}
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

SEXP r_mapping_claim(SEXP state, size_t width)
{
	struct state s;
	if (!source || TYPEOF(state) != RAWSXP ||
	    Rf_xlength(state) != sizeof(s))
		Rf_error("a large vector came without its data");
	memcpy(&s, RAW(state), sizeof(s));
	SEXP pointer = PROTECT(new_pointer());
	int rc = link_claim(&source->link, wire_passed(&source->head), store_is,
			    &s.id);
	if (rc >= 0)
		rc = map(pointer, rc, s.length, width);
	if (rc < 0)
		Rf_error("the data of a large vector: %s", strerror(-rc));
	UNPROTECT(1);
	return pointer;
}

SEXP r_mapping_again(SEXP x, size_t width)
{
	const struct mapping *m = r_mapping(x);
	if (m->owner != proc_self() || m->written || m->fd < 0)
		return NULL;
	SEXP pointer = PROTECT(new_pointer());
	int fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && map(pointer, fd, m->length, width) < 0)
		fd = -1;
	UNPROTECT(1);
	return fd < 0 ? NULL : pointer;
}

int r_mapping_segment(SEXP x)
{
	if (r_mapping_is_stand_in(x))
		return -1;
	const struct mapping *m = r_mapping(x);
	return m->owner == proc_self() && !m->written ? m->fd : -1;
}

static SEXP serialized_state(SEXP x)
{
	return r_mapping_is_stand_in(x) ? R_altrep_data1(x) : NULL;
}

static Rboolean inspect(SEXP x, int pre, int deep, int pvec,
			void (*subtree)(SEXP, int, int, int))
{
	(void)pre, (void)deep, (void)pvec, (void)subtree;
	Rprintf(" pool: %s\n",
		r_mapping_is_stand_in(x) ? "a stand-in" : "mapped");
	return TRUE;
}

void r_mapping_methods(R_altrep_class_t class)
{
	R_set_altrep_Length_method(class, r_mapping_length);
	R_set_altrep_Inspect_method(class, inspect);
	R_set_altrep_Serialized_state_method(class, serialized_state);
}

SEXP C_vector_mapped(void)
{
	return Rf_ScalarLogical(owner == proc_self() && mapped > 0);
}
