/*
 * How a worker begins, and how the template has its path run once before.
 */
#include <poll.h>
#include <stdio.h>

#include "chan_read.h"
#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "r_interrupt.h"
#include "r_node.h"

static void run_node(void *of)
{
	(void)of;
	(void)r_call("node_main");
}

struct home {
	const char *base;
	char *name; /* of the temporary directory, for the template */
};

static void start_node(void *of)
{
	const struct home *h = of;
	SEXP call = PROTECT(Rf_lang2(Rf_install("node_start"),
				     PROTECT(Rf_mkString(h->base))));
	SEXP name = PROTECT(Rf_eval(call, r_namespace()));
	(void)snprintf(h->name, TMPDIR_NAME, "%s", r_string(name));
	UNPROTECT(3);
}

/* The name is written through `home`.
 * NOLINTNEXTLINE(readability-non-const-parameter) */
void r_node_work(int fd, const char *base, char name[TMPDIR_NAME])
{
	r_node_open(fd, false);
	r_interrupt_init();
	struct home home = {base, name};
	/* Until there is something to do no page is touched: while a child
	 * copies pages, the fork of the next one takes twice the time. */
	while (io_wait(fd, POLLIN, -1) < 0)
		;
	if (!R_ToplevelExec(start_node, &home))
		proc_leave(127);
	/* Back here only by a jump to top level; node_main() goes on with the
	 * claim that jumped. */
	for (;;) {
		(void)R_ToplevelExec(run_node, NULL);
		(void)C_node_stuck();
	}
}

/*
 * The whole path that evaluates a task, once, in the template: what it touches,
 * compiles and forces is then shared by all workers. Both ends of the channel
 * are this process.
 */
SEXP C_node_warm(SEXP constant, SEXP elements)
{
	static const struct wire_head call = {.kind = WIRE_CALL, .call = 1};
	struct wire_head range = {.kind = WIRE_RANGE,
				  .call = 1,
				  .count = (uint64_t)Rf_xlength(elements)};
	struct chan peer;
	int end[2];
	if (io_pair(end) < 0)
		return R_NilValue;
	chan_init(&peer, end[0]);
	r_node_open(end[1], true);
	int rc = r_stream_write(&peer, &call, constant, &r_node_patience, NULL);
	if (rc == 0)
		rc = r_stream_write(&peer, &range, elements, &r_node_patience,
				    NULL);
	if (rc == 0)
		rc = r_stream_flush(&peer, &r_node_patience);
	if (rc == 0)
		r_node_warm();
	struct wire_head h;
	if (rc == 0 && chan_fill(&peer) == 0 && chan_head(&peer, &h) == 0)
		(void)r_stream_read(&peer, &r_node_patience);
	chan_release(&peer);
	r_node_close();
	return R_NilValue;
}
