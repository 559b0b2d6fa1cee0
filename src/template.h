/*
 * The template: a quiet process that forks workers on request, reports what
 * becomes of them, and buries what is left when the session dies.
 */
#ifndef POOL_TEMPLATE_H
#define POOL_TEMPLATE_H

#include <sys/types.h>

#include "chan.h"
#include "tmpdir.h"

struct template_ops {
	/* Takes in a WIRE_STATE message's payload; 0 or an errno to report. */
	int (*state)(struct chan *control);
	/* Becomes a worker, talking over `fd`; must not return. Its temporary
	 * directory belongs into `base`, and its name into `name`, so that the
	 * template can remove it. */
	void (*work)(int fd, const char *base, char name[TMPDIR_NAME]);
};

struct template_options {
	int control;	  /* the socket to the session; owned from here */
	pid_t session;	  /* whose death ends everything */
	int error;	  /* if not 0: say so and leave */
	int niceness;	  /* of workers, added to the session's */
	const char *base; /* directory of the workers' directories */
};

/* Serves the session until it says goodbye or dies; never returns. */
_Noreturn void template_run(const struct template_options *options,
			    const struct template_ops *ops);

#endif
