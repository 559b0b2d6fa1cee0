/* Failures of jobs and queues in directories, as R's. */
#include "r_store.h"

#include <errno.h>
#include <string.h>

#include "lmdb_run.h"

/* What R calls it; systems number their errors differently. */
static const char *kind_of(int rc)
{
	switch (rc) {
	case -EEXIST:
		return "exists";
	case -ENOENT:
		return "absent";
	case -EPROTO:
		return "format";
	case -EPROTONOSUPPORT:
		return "newer";
	case -EBADMSG:
		return "corrupt";
	case -EREMOTE:
		return "remote";
	case -ECHILD:
		return "forked";
	case -EBADF:
		return "closed";
	case -ERANGE:
		return "task";
	case -EPERM:
		return "foreign";
	case -EINVAL:
	case -ELOOP:
	case -ENOTDIR:
	case -EISDIR:
	case -ENAMETOOLONG:
		return "name";
	default:
		return "failed";
	}
}

_Noreturn void r_fail(const struct r_failure *f)
{
	SEXP call = PROTECT(Rf_allocVector(LANGSXP, 7));
	SEXP at = call;
	SETCAR(at, Rf_install(f->thrower));
	SETCAR(at = CDR(at), Rf_mkString(kind_of(f->rc)));
	SETCAR(at = CDR(at), Rf_mkString(f->what));
	SETCAR(at = CDR(at), f->id);
	SETCAR(at = CDR(at), Rf_ScalarInteger(-f->rc));
	SETCAR(at = CDR(at), Rf_mkString(f->why ? f->why : strerror(-f->rc)));
	SETCAR(CDR(at), Rf_ScalarReal(f->task));
	Rf_eval(call, r_namespace());
	UNPROTECT(1);
	Rf_error("%s failed", f->what); /* not reached */
}

enum { PATIENCE = 5 }; /* seconds */

void r_patience(void)
{
	lmdb_run_patience(PATIENCE);
}

static void tell(SEXP handle)
{
	SEXP holder = PROTECT(Rf_ScalarInteger((int)lmdb_run_holder()));
	SEXP seconds = PROTECT(Rf_ScalarInteger(PATIENCE));
	SEXP call =
		PROTECT(Rf_lang4(Rf_install("tell_waiting"),
				 R_ExternalPtrTag(handle), holder, seconds));
	Rf_eval(call, r_namespace());
	UNPROTECT(3);
}

/* What was told is told once, and then waited for in peace. */
bool r_again(int rc, SEXP handle)
{
	static bool told;
	bool before = told;
	told = false;
	r_patience();
	if (rc != -EINTR && rc != -ETIMEDOUT)
		return false;
	R_CheckUserInterrupt();
	if (rc == -ETIMEDOUT && !before)
		tell(handle);
	told = before || rc == -ETIMEDOUT;
	if (told)
		lmdb_run_patience(0);
	return true;
}
