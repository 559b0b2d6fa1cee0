/*
 * Large vectors out of a message: the walk down its lists, and the segments.
 */
#include "r_large.h"

#include <errno.h>
#include <fcntl.h>

#include "io.h"
#include "proc.h"
#include "r_strings.h"
#include "r_vector.h"
#include "store.h"

enum {
	DEEPEST = 64, /* lists within lists */
	SHARE = 16,   /* of all descriptors, for a message: many messages may
			 come at a time */
};

/* Bytes of segments that a process keeps to use them again. */
static const size_t KEPT = (size_t)256 << 20;

static struct store store; /* the segments of this process */
static pid_t owner;	   /* whose they are */

/* In a fork the segments are the parent's. */
static struct store *own_store(void)
{
	if (owner != proc_self()) {
		owner = proc_self();
		store_init(&store, KEPT);
	}
	return &store;
}

void r_large_release(void)
{
	store_release(own_store());
}

int r_large_put(const void *bytes, size_t n, int *fd, uint64_t *id)
{
	return store_put(own_store(), bytes, n, fd, id);
}

static bool any(SEXP x, int depth)
{
	if (r_vector_is_large(x) || r_strings_are_large(x))
		return true;
	R_xlen_t n = TYPEOF(x) == VECSXP && depth > 0 ? Rf_xlength(x) : 0;
	for (R_xlen_t i = 0; i < n; i++)
		if (any(VECTOR_ELT(x, i), depth - 1))
			return true;
	return false;
}

bool r_large_any(SEXP x)
{
	return any(x, DEEPEST);
}

/* The bytes of a vector, as its segment has them; NULL: it goes with the
 * message.
 */
static const void *bytes_of(SEXP x, size_t *size)
{
	if (TYPEOF(x) == STRSXP)
		return r_strings_pack(x, size);
	*size = r_vector_bytes(x);
	return DATAPTR_OR_NULL(x); /* R keeps a formula for some */
}

/* A descriptor of a segment that holds the vector's data: the one it is mapped
 * from, or one that is filled. */
static int segment(SEXP x, int *fd, uint64_t *id)
{
	int has = TYPEOF(x) == STRSXP ? r_strings_segment(x)
				      : r_vector_segment(x);
	if (has < 0) {
		const void *top = vmaxget();
		size_t size;
		const void *bytes = bytes_of(x, &size);
		int rc = bytes ? r_large_put(bytes, size, fd, id) : -EINVAL;
		vmaxset(top);
		return rc;
	}
	*fd = fcntl(has, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : store_id(*fd, id);
}

/* A stand-in for x, whose data has been passed on; x where that cannot be done.
 */
static SEXP stand_in(SEXP x, struct large_sink *to)
{
	int fd = -1;
	uint64_t id = 0;
	if (to->n >= to->most || to->n >= io_most() / SHARE ||
	    segment(x, &fd, &id) < 0 || to->pass(to->of, fd) < 0)
		return x;
	to->n++;
	return TYPEOF(x) == STRSXP ? r_strings_stand_in(x, id)
				   : r_vector_stand_in(x, id);
}

static SEXP stage(SEXP x, struct large_sink *to, int depth)
{
	if (r_vector_is_large(x) || r_strings_are_large(x))
		return stand_in(x, to);
	if (TYPEOF(x) != VECSXP || depth == 0)
		return x;
	SEXP y = x;
	PROTECT_INDEX at;
	PROTECT_WITH_INDEX(y, &at);
	R_xlen_t n = Rf_xlength(x);
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP old = VECTOR_ELT(x, i);
		SEXP new = stage(old, to, depth - 1);
		if (new == old)
			continue;
		PROTECT(new);
		if (y == x)
			REPROTECT(y = Rf_shallow_duplicate(x), at);
		SET_VECTOR_ELT(y, i, new);
		UNPROTECT(1);
	}
	UNPROTECT(1);
	return y;
}

SEXP r_large_stage(SEXP x, struct large_sink *to)
{
	return stage(x, to, DEEPEST);
}
