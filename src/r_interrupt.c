/*
 * SIGINT in a worker. R's own handler is asked to do its work, which is to note
 * that there was one; it puts itself in place each time.
 */
#include "r_interrupt.h"

#include <errno.h>
#include <signal.h>

#include "proc.h"
#include "r_util.h"

static struct sigaction ours, before;
static volatile sig_atomic_t noted; /* by R, which has not forgotten it yet */
static volatile sig_atomic_t came;
static volatile uint32_t at_call; /* 0: nobody is to be interrupted */
static bool placed;		  /* our handler, in this process */
static bool allowed;		  /* since it was last settled */

static void pass_on(int signal, siginfo_t *info, void *context)
{
	noted = 1;
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signal, info, context);
	else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		before.sa_handler(signal);
	(void)sigaction(SIGINT, &ours, NULL);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	int error = errno;
	int number = proc_interrupted(info);
	bool meant = number > 0 && (uint32_t)number == at_call;
	if (at_call != 0 && (meant || number == 0)) {
		came = came || meant;
		pass_on(signal, info, context);
	}
	errno = error;
}

void r_interrupt_init(void)
{
	r_interrupt_deny();
	came = noted = 0;
	ours = (struct sigaction){.sa_sigaction = handle,
				  .sa_flags = SA_SIGINFO | SA_RESTART};
	(void)sigemptyset(&ours.sa_mask);
	placed = true;
	struct sigaction now;
	/* A worker of a worker has it already. */
	if (sigaction(SIGINT, &ours, &now) == 0 &&
	    !((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle))
		before = now;
}

void r_interrupt_allow(uint32_t call)
{
	at_call = call;
	allowed = true;
}

void r_interrupt_deny(void)
{
	at_call = 0;
}

bool r_interrupt_came(void)
{
	return came != 0;
}

static SEXP check(void *of)
{
	(void)of;
	R_CheckUserInterrupt();
	return R_NilValue;
}

static SEXP forget(SEXP condition, void *of)
{
	(void)condition;
	(void)of;
	return R_NilValue;
}

void r_interrupt_settle(void)
{
	r_interrupt_deny();
	if (noted) {
		SEXP class = PROTECT(Rf_mkString("interrupt"));
		(void)R_tryCatch(check, NULL, class, forget, NULL, NULL, NULL);
		UNPROTECT(1);
	}
	noted = came = 0;
	/* R's select(), which Sys.sleep() is, may have put it back by signal(),
	 * without what tells whom a signal is for. */
	if (placed && allowed)
		(void)sigaction(SIGINT, &ours, NULL);
	allowed = false;
}
