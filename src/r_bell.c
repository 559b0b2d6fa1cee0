/*
 * What a node says before its result: that there is one, by a doorbell, and
 * what is told of an element while it runs.
 */
#include <errno.h>
#include <string.h>

#include "bell.h"
#include "r_entry.h"
#include "r_interrupt.h"
#include "r_node.h"
#include "r_stream.h"

enum { ACCEPT_MS = 10000 };

static struct bell bell = BELL_NONE;

void r_bell_forget(void)
{
	bell_forget(&bell);
}

/* list(port, word), or NULL where there can be none. */
SEXP C_bell_listen(void)
{
	int port = 0;
	SEXP x = PROTECT(Rf_allocVector(VECSXP, 2));
	SET_VECTOR_ELT(x, 0, Rf_allocVector(INTSXP, 1));
	SET_VECTOR_ELT(x, 1, Rf_allocVector(RAWSXP, BELL_WORD));
	int rc = bell_listen(&bell, &port);
	INTEGER(VECTOR_ELT(x, 0))[0] = port;
	memcpy(RAW(VECTOR_ELT(x, 1)), bell.word, BELL_WORD);
	UNPROTECT(1);
	return rc < 0 ? R_NilValue : x;
}

SEXP C_bell_accept(void)
{
	return Rf_ScalarLogical(bell_accept(&bell, ACCEPT_MS) == 0);
}

SEXP C_bell_ring(void)
{
	bell_ring(&bell);
	return R_NilValue;
}

struct telling {
	struct chan *chan;
	const struct wire_head *of;
	SEXP x;
};

static SEXP tell(void *of)
{
	const struct telling *a = of;
	struct wire_head h = {.kind = WIRE_TOLD,
			      .flags = WIRE_MIXED,
			      .call = a->of->call,
			      .first = a->of->first};
	int rc = r_stream_write(a->chan, &h, a->x, &r_node_patience, NULL);
	if (rc == 0)
		rc = r_stream_flush(a->chan, &r_node_patience);
	return Rf_ScalarLogical(rc == 0);
}

static void allow(void *of)
{
	const struct telling *a = of;
	r_interrupt_allow(a->of->call);
}

/* An object to whoever waits for the running element: was anybody told? */
SEXP C_node_tell(SEXP x)
{
	struct telling a = {.x = x};
	if (!r_node_hears(&a.chan, &a.of))
		return Rf_ScalarLogical(FALSE);
	/* Not in the middle of a message. */
	r_interrupt_deny();
	bell_ring(&bell);
	return R_ExecWithCleanup(tell, &a, allow, &a);
}
