/*
 * What runs in the template and in a worker.
 *
 * Both live inside a fence: a jump that nothing caught ends there, never in the
 * R code that called init_pool(), and what is outside the fence never returns.
 * R drives (node.R); this file waits for messages, evaluates the elements of a
 * claim, and answers. A claim is list(values, index): its index, counted here,
 * tells after an error how far the claim has got.
 */
#include "r_node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <Rversion.h>

#include "clock.h"
#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "r_stream.h"
#include "template.h"

static struct node {
	struct chan chan;      /* to the session */
	struct wire_head head; /* the message in front */
	uint64_t started;      /* the claim */
	bool warming;	       /* in the template: never waits, never leaves */
} node;

/* ---- messages ---- */

static _Noreturn void leave(int status)
{
	(void)fflush(NULL);
	(void)r_call("node_cleanup");
	proc_leave(status);
}

static int node_goes_on(void *of)
{
	(void)of;
	return node.warming ? -EAGAIN : 0;
}

static const struct r_patience patience = {node_goes_on, NULL};

/* Waits for the next message: 1 a call, 2 a range of it, 3 its end; 0 none,
 * when warming. Leaves with the session. */
SEXP C_node_next(void)
{
	int rc;
	do
		rc = chan_finish(&node.chan); /* what was not read */
	while (rc == -EAGAIN && !node.warming);
	while (rc == 0 && (rc = chan_head(&node.chan, &node.head)) == -EAGAIN) {
		if (node.warming)
			return Rf_ScalarInteger(0);
		rc = chan_fill(&node.chan, NULL);
		if (rc == -EAGAIN) {
			(void)io_wait(node.chan.fd, POLLIN, -1);
			rc = 0;
		}
	}
	if (rc < 0)
		leave(0);
	return Rf_ScalarInteger(node.head.kind == WIRE_CALL    ? 1
				: node.head.kind == WIRE_RANGE ? 2
							       : 3);
}

SEXP C_node_payload(void)
{
	return r_stream_read(&node.chan, &patience);
}

SEXP C_node_claim(void)
{
	SEXP claim = PROTECT(Rf_allocVector(VECSXP, 2));
	SET_VECTOR_ELT(claim, 0,
		       Rf_allocVector(VECSXP, (R_xlen_t)node.head.count));
	SET_VECTOR_ELT(claim, 1, Rf_ScalarInteger(0));
	node.started = clock_now();
	UNPROTECT(1);
	return claim;
}

SEXP C_node_reply(SEXP value, SEXP mixed)
{
	bool quiet = (node.head.flags & WIRE_QUIET) != 0;
	struct wire_head h = {.kind = WIRE_RESULT,
			      .flags = Rf_asLogical(mixed) ? WIRE_MIXED : 0,
			      .call = node.head.call,
			      .first = node.head.first,
			      .count = node.head.count,
			      .extra = (int64_t)(clock_now() - node.started)};
	/* Output of the task must not be lost with a later kill. */
	(void)fflush(NULL);
	int rc = quiet ? chan_say(&node.chan, &h)
		       : r_stream_write(&node.chan, &h, value, &patience);
	if (rc == 0)
		rc = r_stream_flush(&node.chan, &patience);
	if (rc < 0)
		leave(0);
	return R_NilValue;
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

/* ---- elements ---- */

static int *claim_index(SEXP claim)
{
	return INTEGER(VECTOR_ELT(claim, 1));
}

static void claim_value(SEXP claim, SEXP value)
{
	SET_VECTOR_ELT(VECTOR_ELT(claim, 0), (*claim_index(claim))++, value);
}

/* The running element has failed: on to the next. Its number, from 1. */
SEXP C_node_skip(SEXP claim)
{
	return Rf_ScalarInteger(++*claim_index(claim));
}

/* As lapply() does it, in the frame `env` that has X, FUN and ... . */
SEXP C_node_lapply(SEXP env, SEXP claim)
{
	SEXP index = Rf_install("i");
	SEXP x = Rf_install("X");
	SEXP element = PROTECT(Rf_lang3(R_Bracket2Symbol, x, index));
	SEXP call = PROTECT(Rf_lang5(Rf_install("forceAndCall"),
				     PROTECT(Rf_ScalarInteger(1)),
				     Rf_install("FUN"), element, R_DotsSymbol));
	R_xlen_t n = Rf_xlength(VECTOR_ELT(claim, 0));
	while (*claim_index(claim) < n) {
		SEXP i = PROTECT(Rf_ScalarInteger(*claim_index(claim) + 1));
		Rf_defineVar(index, i, env);
		claim_value(claim, Rf_eval(call, env));
		UNPROTECT(1);
	}
	UNPROTECT(3);
	return R_NilValue;
}

static SEXP element(SEXP column, R_xlen_t i)
{
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
	SEXP cell = Rf_cons(PROTECT(Rf_lang2(quote, value)), rest);
	UNPROTECT(1);
	if (names != R_NilValue && LENGTH(STRING_ELT(names, k)) > 0)
		SET_TAG(cell, Rf_installTrChar(STRING_ELT(names, k)));
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

/* runner(X = x, FUN = fun, more), which comes back as C_node_lapply(). */
SEXP C_node_apply(SEXP runner, SEXP fun, SEXP x, SEXP more, SEXP quote)
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
SEXP C_node_map(SEXP fun, SEXP columns, SEXP more, SEXP claim, SEXP quote)
{
	SEXP head = TYPEOF(fun) == STRSXP ? Rf_installTrChar(STRING_ELT(fun, 0))
					  : fun;
	SEXP names = PROTECT(Rf_getAttrib(columns, R_NamesSymbol));
	SEXP tail = PROTECT(arguments(quote, more));
	R_xlen_t n = Rf_xlength(VECTOR_ELT(claim, 0));
	while (*claim_index(claim) < n) {
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

/* ---- the life of a worker, and of the template ---- */

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

/* template_ops.work; the name is written through `home`.
 * NOLINTNEXTLINE(readability-non-const-parameter) */
static void work(int fd, const char *base, char name[TMPDIR_NAME])
{
	chan_init(&node.chan, fd);
	struct home home = {base, name};
	if (!R_ToplevelExec(start_node, &home))
		proc_leave(127);
	/* Back here only by a jump to top level; node_main() goes on with the
	 * claim that jumped. */
	for (;;)
		(void)R_ToplevelExec(run_node, NULL);
}

struct state {
	struct chan *control;
	int rc;
};

static void apply_state(void *of)
{
	struct state *s = of;
	SEXP state = PROTECT(r_stream_read(s->control, &patience));
	SEXP call = PROTECT(Rf_lang2(Rf_install("template_state"), state));
	(void)Rf_eval(call, r_namespace());
	UNPROTECT(2);
	s->rc = 0;
}

/* template_ops.state */
static int state(struct chan *control)
{
	struct state s = {control, EINVAL};
	(void)R_ToplevelExec(apply_state, &s);
	return s.rc;
}

static void prepare(void *done)
{
	(void)r_call("template_prepare");
	*(bool *)done = true;
}

static _Noreturn void run_template(struct template_options *options)
{
	static const struct template_ops ops = {state, work};
	static char base[TMPDIR_MAX];
	int rc = tmpdir_make(base);
	options->base = base;
	if (rc == 0 && setenv("POOL_TEMPLATE_DIR", base, 1) < 0)
		rc = -errno;
	if (rc == 0) {
		bool done = false;
		proc_one_thread();
		(void)R_ToplevelExec(prepare, &done);
		rc = done ? 0 : -EINVAL;
	}
	(void)unsetenv("POOL_TEMPLATE_DIR");
	options->error = options->error ? options->error : -rc;
	template_run(options, &ops);
}

_Noreturn void r_node_template(int control, pid_t session, int niceness,
			       const char *output, const sigset_t *mask)
{
	struct template_options options = {
		.control = control, .session = session, .niceness = niceness};
	int rc = io_replace_inherited(control);
	if (rc == 0)
		rc = io_redirect(output);
	if (rc == 0)
		rc = proc_unblock(mask);
	options.error = -rc;
	run_template(&options);
}

/* In an exec'd template; options: c(session, niceness). */
SEXP C_template_run(SEXP options)
{
	struct template_options o = {.control = PROC_PASSED,
				     .session = (pid_t)INTEGER(options)[0],
				     .niceness = INTEGER(options)[1]};
	if (getppid() != o.session)
		proc_leave(0);
	run_template(&o);
}

static SEXP global(SEXP name)
{
#if R_VERSION >= R_Version(4, 5, 0)
	return R_getVarEx(name, R_GlobalEnv, FALSE, R_NilValue);
#else
	return Rf_findVarInFrame(R_GlobalEnv, name); /* a promise unforced */
#endif
}

/* Values of the global environment's bindings, to be kept reachable, for their
 * finalizers are the session's. */
SEXP C_node_globals(SEXP names)
{
	R_xlen_t n = Rf_xlength(names);
	SEXP values = PROTECT(Rf_allocVector(VECSXP, n));
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP name = Rf_installTrChar(STRING_ELT(names, i));
		if (R_BindingIsActive(name, R_GlobalEnv))
			SET_VECTOR_ELT(
				values, i,
				R_ActiveBindingFunction(name, R_GlobalEnv));
		else
			SET_VECTOR_ELT(values, i, global(name));
	}
	UNPROTECT(1);
	return values;
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
	chan_init(&node.chan, end[1]);
	node.warming = true;
	int rc = r_stream_write(&peer, &call, constant, &patience);
	if (rc == 0)
		rc = r_stream_write(&peer, &range, elements, &patience);
	if (rc == 0)
		rc = r_stream_flush(&peer, &patience);
	if (rc == 0)
		rc = chan_fill(&node.chan, NULL);
	if (rc == 0)
		(void)r_call("node_main");
	struct wire_head h;
	if (rc == 0 && chan_fill(&peer, NULL) == 0 && chan_head(&peer, &h) == 0)
		(void)r_stream_read(&peer, &patience);
	node.warming = false;
	chan_release(&peer);
	chan_release(&node.chan);
	return R_NilValue;
}
