/* What runs in the template and in a worker. */
#ifndef POOL_R_NODE_H
#define POOL_R_NODE_H

#include <signal.h>
#include <sys/types.h>

/* In a fresh fork of the session: becomes its template, for good. */
_Noreturn void r_node_template(int control, pid_t session, int niceness,
			       const char *output, const sigset_t *mask);

#endif
