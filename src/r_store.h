/* What the glue of jobs and queues in directories shares. All may throw. */
#ifndef POOL_R_STORE_H
#define POOL_R_STORE_H

#include "job.h"
#include "r_util.h"

struct r_failure {
	const char *thrower; /* a function of R's: throw_job() and the like */
	const char *what;    /* was to be done */
	SEXP id;	     /* of the job, or the path of the queue */
	int rc;		     /* -errno */
	const char *why;     /* NULL: what the system says */
	double task;	     /* NA_REAL: of none */
};

_Noreturn void r_fail(const struct r_failure *f);

/* Is a write to be tried again, which a signal ended while it waited for its
 * turn, or that it was a long time? Jumps where that was an interrupt; says,
 * once, who keeps it waiting. handle: of the job or queue. */
bool r_again(int rc, SEXP handle);

/* From now on r_again() hears of it. */
void r_patience(void);

/* The job of a handle, which may have been closed: that is thrown. */
struct job *r_job(SEXP handle, const char *what);

/* Throws a failure, if rc is one. */
void r_job_check(SEXP handle, const char *what, int rc);

#endif
