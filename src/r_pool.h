/*
 * The session's handle: an external pointer to a struct r_pool, whose protected
 * slot holds the R objects of the call in progress.
 */
#ifndef POOL_R_POOL_H
#define POOL_R_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "load.h"
#include "pool.h"
#include "r_util.h"
#include "sched.h"
#include "tmpdir.h"

/* What a call runs per element, as the node knows it too (node.R). */
enum call_kind { CALL_EACH = 0, CALL_LAPPLY = 1, CALL_MAP = 2 };

/* How long a template has to leave. */
enum { R_POOL_CLOSE_MS = 5000 };

struct r_pool {
	pid_t owner; /* the process it belongs to */
	struct pool pool;
	char base[TMPDIR_MAX]; /* of the nodes' temporary directories */
	double patience; /* seconds a template or worker may take to start */
	bool inside;	 /* a .Call is using it: no other may */

	bool calling;
	uint32_t number; /* of the call, from 1 */
	struct load load;
	bool holds_back; /* workers that are free, as more would not help yet */
	enum call_kind kind;
	struct sched sched;
	struct blob *call;   /* the WIRE_CALL message, if several share it */
	struct buf staging;  /* bytes of a segment to be */
	struct blob *staged; /* the WIRE_STAGE message, while it holds */
	size_t staged_n;     /* elements 0 to staged_n - 1 are */
	bool staged_tried;   /* also where nothing came of it */
	bool open;	     /* elements come while it runs */
	size_t reading;	     /* the slot whose message is read, + 1; 0: none */
	bool same;	     /* nodes may have its function: as `kept` says */

	/* Nodes keep a function without an environment of its own for the next
	 * call; it hangs on the handle as its tag. */
	uint32_t kept; /* the call that brought it; 0: none */
	enum call_kind kept_kind;

	/* What the caller of a call has asked for. */
	uint64_t timeout; /* nanoseconds that an element may take; 0: any */
	unsigned retries; /* of an element whose node dies */
	bool stops;	  /* at the first failure */
	unsigned blind;	  /* deaths in a row at no element */
	uint64_t tells;	  /* nanoseconds between news of progress; 0: none */
	uint64_t tell_at; /* the next */

	struct {
		uint64_t log; /* the trace it is in; 0: none */
		size_t row;   /* its own there */
		uint32_t call;
	} traced;

	const char
		*doing; /* what R code it runs: for the message of an error */
};

/* The struct behind a handle, or NULL: alive or not, whoever's it is. */
struct r_pool *r_pool_address(SEXP handle);

/* The struct of a live handle of this process; throws otherwise. */
struct r_pool *r_pool_get(SEXP handle);

/* body(of), while every other entry that could get in its way is refused as
 * busy: R code that it runs (a handler, a finalizer) might call one. Also after
 * a jump, what it left in the middle of the control channel is taken back. */
SEXP r_pool_within(struct r_pool *r, SEXP (*body)(void *), void *of);

/* The struct of a live handle that nothing is inside of; throws otherwise. */
struct r_pool *r_pool_get_free(SEXP handle);

/* One round of pool_poll(), and a look at R's interrupts: may jump. A lost
 * template is thrown. */
void r_pool_poll(struct r_pool *r, int ms);

/* Slots whose workers are gone get new ones. */
void r_pool_replace(struct r_pool *r);

#endif
