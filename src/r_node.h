/* What runs in the template and in a worker. */
#ifndef POOL_R_NODE_H
#define POOL_R_NODE_H

#include <signal.h>
#include <sys/types.h>

#include "tmpdir.h"

/* In a fresh fork of the session: becomes its template, for good. */
_Noreturn void r_node_template(int control, pid_t session, int niceness,
			       const char *output, const char *base,
			       const sigset_t *mask);

/* What a node was at is not what a template that it makes is at. */
void r_node_forget(void);

/* In a fresh fork of the template: becomes a worker, for good. */
void r_node_work(int fd, const char *base, char name[TMPDIR_NAME]);

#endif
