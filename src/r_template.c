/*
 * The template as R sees it: its preparation, in a fork of the session or in a
 * fresh R, and the state it takes over. Inside a fence, as all that runs in it;
 * what is outside never returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <Rversion.h>

#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "r_node.h"
#include "r_stream.h"
#include "template.h"

static pid_t parent; /* the session, while it lives */

static int template_goes_on(void *of)
{
	(void)of;
	return getppid() == parent ? 0 : -EPIPE;
}

struct state {
	struct chan *control;
	int rc;
};

static void apply_state(void *of)
{
	struct state *s = of;
	static const struct r_patience patience = {template_goes_on, NULL};
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
	static const struct template_ops ops = {state, r_node_work};
	parent = options->session;
	r_node_forget();
	int rc = setenv("POOL_TEMPLATE_DIR", options->base, 1) < 0 ? -errno : 0;
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
			       const char *output, const char *base,
			       const sigset_t *mask)
{
	struct template_options options = {.control = control,
					   .session = session,
					   .niceness = niceness,
					   .base = base};
	int rc = io_replace_inherited(control);
	if (rc == 0)
		rc = io_redirect(output);
	if (rc == 0)
		rc = proc_unblock(mask);
	options.error = -rc;
	run_template(&options);
}

/* In an exec'd template; options: list(session, niceness, directory). */
SEXP C_template_run(SEXP options)
{
	static char base[TMPDIR_MAX];
	(void)snprintf(base, sizeof(base), "%s",
		       r_string(VECTOR_ELT(options, 2)));
	struct template_options o = {
		.control = PROC_PASSED,
		.session = (pid_t)Rf_asInteger(VECTOR_ELT(options, 0)),
		.niceness = Rf_asInteger(VECTOR_ELT(options, 1)),
		.base = base};
	if (getppid() != o.session ||
	    fcntl(PROC_PASSED, F_SETFD, FD_CLOEXEC) < 0)
		proc_leave(0);
	run_template(&o);
}

/* What a global name keeps reachable: its value, what an active binding or a
 * promise will make it from. Nothing is evaluated. */
#if R_VERSION >= R_Version(4, 6, 0)
static SEXP global(SEXP name)
{
	SEXP env = R_GlobalEnv;
	SEXP both;
	switch (R_GetBindingType(name, env)) {
	case R_BindingTypeValue:
	case R_BindingTypeForced:
		return R_getVar(name, env, FALSE);
	case R_BindingTypeActive:
		return R_ActiveBindingFunction(name, env);
	case R_BindingTypeDelayed:
		both = PROTECT(Rf_cons(R_DelayedBindingExpression(name, env),
				       R_NilValue));
		both = Rf_cons(R_DelayedBindingEnvironment(name, env), both);
		UNPROTECT(1);
		return both;
	default:
		return R_NilValue;
	}
}
#else
static SEXP global(SEXP name)
{
	return R_BindingIsActive(name, R_GlobalEnv)
		       ? R_ActiveBindingFunction(name, R_GlobalEnv)
		       : Rf_findVarInFrame(R_GlobalEnv, name);
}
#endif

/* Values of the global environment's bindings, to be kept reachable, for their
 * finalizers are the session's. */
SEXP C_template_globals(SEXP names)
{
	R_xlen_t n = Rf_xlength(names);
	SEXP values = PROTECT(Rf_allocVector(VECSXP, n));
	for (R_xlen_t i = 0; i < n; i++) {
		SEXP name = Rf_installTrChar(STRING_ELT(names, i));
		SET_VECTOR_ELT(values, i, global(name));
	}
	UNPROTECT(1);
	return values;
}
