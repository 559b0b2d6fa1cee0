/*
 * The life of a worker.
 *
 * It is lived inside a fence: a jump that nothing caught ends there, never in
 * the R code that called init_pool(), and what is outside the fence never
 * returns. R drives (node.R); this file waits for messages and answers them.
 */
#include "r_node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "chan_read.h"
#include "clock.h"
#include "proc.h"
#include "r_entry.h"
#include "r_interrupt.h"
#include "r_seed.h"
#include "r_staged.h"
#include "r_stream.h"
#include "r_trace.h"
#include "spin.h"

enum { STUCK = 20 };

static struct node {
	pid_t pid;	       /* whose this is */
	struct chan chan;      /* to the session */
	struct wire_head head; /* the message in front */
	struct spin spin;
	uint64_t started; /* the claim */
	bool owed;	  /* a range has not been answered yet */
	bool keeps;	  /* the function, for the next call */
	bool unread;	  /* it could not be read, this time */
	bool halted;	  /* its last claim ended before its end */
	bool timed;	  /* the session asks since when an element runs */
	struct laps laps; /* when elements ran, if it asks that */
	bool warming;	  /* in the template: never waits, never leaves */
	unsigned steps;	  /* of whatever is done for a message */
	unsigned stuck;	  /* how often nothing was, in a row */
	unsigned again;	  /* how often the range was given again */
} node;

static void clean_up(void *of)
{
	(void)of;
	(void)r_call("node_cleanup");
}

static _Noreturn void leave(int status)
{
	(void)fflush(NULL);
	(void)R_ToplevelExec(clean_up, NULL); /* an error must not come back */
	proc_leave(status);
}

/* A child that a task has forked, and that comes back here, is at its end: the
 * claim, and the channel, are its parent's. */
static void children_leave(void)
{
	if (node.pid != proc_self())
		proc_leave(0);
}

static int node_goes_on(void *of)
{
	(void)of;
	return node.warming ? -EAGAIN : 0;
}

const struct r_patience r_node_patience = {node_goes_on, NULL};

static bool news_is_there(void *of)
{
	(void)of;
	return link_ready(&node.chan.link, LINK_NONE);
}

static void node_sleeps(void *of, bool sleeps)
{
	(void)of;
	link_sleeps(&node.chan.link, LINK_NONE, sleeps);
}

/* The head is that of the last message: whether to stay awake for the next. */
static void wait_for_news(void)
{
	static const struct spin_look look = {news_is_there, node_sleeps, NULL};
	struct pollfd p = {.fd = node.chan.link.fd, .events = POLLIN};
	(void)spin_poll(&node.spin, &p, 1, -1,
			(node.head.flags & WIRE_AWAKE) != 0, &look);
}

/* What C_node_next() returns, as node_loop() in node.R knows it: a call, a
 * range of it, its end; nothing to be done about it; when warming, there is no
 * more.
 */
enum next { NEXT_NEVER, NEXT_CALL, NEXT_RANGE, NEXT_END, NEXT_NONE };

/* The next range of what is staged, as if the session had sent it. */
static bool claim_next(void)
{
	size_t first, count;
	if (!r_staged_is_open() || node.halted ||
	    !r_staged_claim(&first, &count))
		return false;
	node.head.kind = WIRE_RANGE;
	node.head.first = first;
	node.head.count = count;
	node.owed = true;
	return true;
}

/* Says that there is nothing left to claim. */
static void end_stage(void)
{
	struct wire_head h = {.kind = WIRE_RESULT, .call = node.head.call};
	r_staged_close();
	int rc = chan_say(&node.chan, &h);
	if (rc == 0)
		rc = r_stream_flush(&node.chan, &r_node_patience);
	if (rc < 0)
		leave(0);
}

/* Waits for the next message. Leaves with the session. A range is next until it
 * has been answered: an error may come between any two steps (a time limit that
 * a task has left behind). */
SEXP C_node_next(void)
{
	int rc;
	children_leave();
	r_interrupt_settle();
	node.steps++;
	/* One that is given again and again is never answered. */
	node.again = node.owed ? node.again + 1 : 0;
	if (node.again > STUCK && !node.warming)
		leave(1);
	if (node.owed || claim_next())
		return Rf_ScalarInteger(NEXT_RANGE);
	if (r_staged_is_open()) {
		end_stage();
		if ((node.head.flags & WIRE_LAST) && !node.keeps)
			return Rf_ScalarInteger(NEXT_END);
	}
	do
		rc = chan_finish(&node.chan); /* what was not read */
	while (rc == -EAGAIN && !node.warming);
	while (rc == 0 && (rc = chan_head(&node.chan, &node.head)) == -EAGAIN) {
		if (node.warming)
			return Rf_ScalarInteger(NEXT_NEVER);
		wait_for_news();
		rc = chan_fill(&node.chan);
		if (rc == -EAGAIN)
			rc = 0;
	}
	bool stage = rc == 0 && node.head.kind == WIRE_STAGE;
	node.halted = false;
	if (stage)
		rc = r_staged_open(&node.chan);
	if (rc < 0)
		leave(0);
	node.owed = node.head.kind == WIRE_RANGE;
	if (node.head.kind == WIRE_CALL)
		node.unread = false;
	else
		node.keeps = !node.unread && (node.head.flags & WIRE_KEEP) != 0;
	if (stage)
		return Rf_ScalarInteger(NEXT_NONE); /* claims come first */
	return Rf_ScalarInteger(node.head.kind == WIRE_CALL ? NEXT_CALL
				: node.owed		    ? NEXT_RANGE
				: node.keeps		    ? NEXT_NONE
							    : NEXT_END);
}

SEXP C_node_unread(void)
{
	node.unread = true;
	return R_NilValue;
}

bool r_node_is(void)
{
	return node.pid != 0;
}

struct record *r_node_record(void)
{
	return node.pid == proc_self() ? link_record(&node.chan.link) : NULL;
}

void r_node_forget(void)
{
	node.owed = node.keeps = false;
	lap_open(&node.laps, false);
	r_interrupt_deny();
	r_seed_open(R_NilValue);
	r_staged_close();
	r_bell_forget();
	/* Of a node that makes a pool: its descriptors are no more what they
	 * were, but still its own. */
	if (node.pid != 0)
		chan_release(&node.chan);
}

SEXP C_node_owes(void)
{
	return Rf_ScalarLogical(node.owed);
}

/* columns: of a range, is it of several vectors? */
SEXP C_node_payload(SEXP columns)
{
	if (node.head.kind == WIRE_RANGE && r_staged_is_open())
		return r_staged_read((size_t)node.head.first,
				     (size_t)node.head.count,
				     Rf_asLogical(columns) == TRUE);
	return r_stream_read(&node.chan, &r_node_patience);
}

/* An element of the claim, from 0, begins: false where it is not to. */
bool r_node_begin(R_xlen_t i)
{
	children_leave();
	struct record *record = link_record(&node.chan.link);
	uint32_t call = node.head.call;
	size_t element = (size_t)node.head.first + (size_t)i;
	/* First, so that a signal that comes with the mark is not lost. */
	r_interrupt_allow(call);
	if (r_interrupt_came() || (record && record_stops(record, call))) {
		r_interrupt_deny();
		return false;
	}
	uint64_t now = node.timed ? clock_now() : 0;
	if (record)
		record_begin(record, call, element, now);
	if (node.laps.on)
		lap_begin(&node.laps, element, now);
	r_seed_set(element);
	return true;
}

/* The running one has ended, or failed. */
void r_node_end(bool failed)
{
	if (node.laps.on)
		lap_end(&node.laps, clock_now(), failed);
	r_interrupt_deny();
	node.steps++;
}

bool r_node_hears(struct chan **chan, const struct wire_head **given)
{
	*chan = &node.chan;
	*given = &node.head;
	return node.pid == proc_self() && node.owed &&
	       (node.head.flags & WIRE_HEARS) != 0;
}

/* Was the call interrupted by the session? */
SEXP C_node_interrupted(void)
{
	return Rf_ScalarLogical(r_interrupt_came());
}

/* To be asked after every failure that is nobody's: a node in which nothing
 * works any more would go round in circles. */
SEXP C_node_stuck(void)
{
	node.stuck = node.steps > 0 ? 0 : node.stuck + 1;
	node.steps = 0;
	if (node.stuck > STUCK && !node.warming)
		leave(1);
	return R_NilValue;
}

/* limits: NULL, or list(seed, are elements timed?, stops, traced?) */
SEXP C_node_claim(SEXP limits)
{
	bool any = limits != R_NilValue;
	r_seed_open(any ? VECTOR_ELT(limits, 0) : R_NilValue);
	node.timed = any && Rf_asLogical(VECTOR_ELT(limits, 1)) == TRUE;
	lap_open(&node.laps, any && Rf_xlength(limits) > 3);
	SEXP claim = PROTECT(Rf_allocVector(VECSXP, 2));
	SET_VECTOR_ELT(claim, 0,
		       Rf_allocVector(VECSXP, (R_xlen_t)node.head.count));
	SET_VECTOR_ELT(claim, 1, Rf_ScalarInteger(0));
	node.started = clock_now();
	UNPROTECT(1);
	return claim;
}

/* kind: 0 values, 1 values and what was signalled, 2 also errors; count: of how
 * many elements. Is the function to be forgotten? */
SEXP C_node_reply(SEXP value, SEXP kind, SEXP count)
{
	struct record *record = link_record(&node.chan.link);
	children_leave();
	r_interrupt_settle();
	if (record)
		record_end(record);
	node.steps++;
	bool quiet = (node.head.flags & WIRE_QUIET) != 0;
	int what = Rf_asInteger(kind);
	bool traced = node.laps.on && !quiet;
	PROTECT(value = traced ? r_trace_reply(&node.laps, value, what)
			       : value);
	uint16_t flags = what == 0 && !traced ? 0
			 : !quiet	      ? WIRE_MIXED
			 : what > 1	      ? WIRE_FAILED
					      : 0;
	struct wire_head h = {.kind = WIRE_RESULT,
			      .flags = flags,
			      .call = node.head.call,
			      .first = node.head.first,
			      .count = (uint64_t)Rf_asReal(count),
			      .extra = (int64_t)(clock_now() - node.started)};
	node.halted = h.count < node.head.count;
	if (r_staged_is_open())
		r_staged_timed((size_t)h.count, (uint64_t)h.extra);
	if (node.unread)
		h.flags |= WIRE_FORGOT;
	/* Output of the task must not be lost with a later kill. */
	(void)fflush(NULL);
	/* Of what is claimed here, 0 says that there is nothing left. */
	bool silent = h.count == 0 && r_staged_is_open();
	int rc = silent	 ? 0
		 : quiet ? chan_say(&node.chan, &h)
			 : r_stream_write(&node.chan, &h, value,
					  &r_node_patience, NULL);
	UNPROTECT(1);
	node.owed = false;
	if (rc == 0)
		rc = r_stream_flush(&node.chan, &r_node_patience);
	if (rc < 0)
		leave(0);
	return Rf_ScalarLogical((node.head.flags & WIRE_LAST) != 0 &&
				!node.keeps && !r_staged_is_open());
}

SEXP C_node_try(SEXP value)
{
	r_stream_try(value);
	return R_NilValue;
}

SEXP C_node_leave(SEXP status)
{
	leave(Rf_asInteger(status));
}

void r_node_open(int fd, bool warming)
{
	node.pid = proc_self();
	node.warming = warming;
	chan_init(&node.chan, fd);
	if (!warming)
		node.chan.link.passing = LINK_RINGS;
	spin_init(&node.spin);
}

void r_node_warm(void)
{
	if (chan_fill(&node.chan) == 0)
		(void)r_call("node_main");
}

void r_node_close(void)
{
	node.warming = node.owed = false;
	chan_release(&node.chan);
}
