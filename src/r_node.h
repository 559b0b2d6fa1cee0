/* What runs in the template and in a worker. */
#ifndef POOL_R_NODE_H
#define POOL_R_NODE_H

#include <signal.h>
#include <sys/types.h>

#include "r_util.h"
#include "tmpdir.h"

/* In a fresh fork of the session: becomes its template, for good. */
_Noreturn void r_node_template(int control, pid_t session, int niceness,
			       const char *output, const char *base,
			       const sigset_t *mask);

/* What a node was at is not what a template that it makes is at. */
void r_node_forget(void);

/* Around each element of a claim, counted from 0: it begins, unless it is not
 * to (false); it has ended, or failed. */
bool r_node_begin(R_xlen_t i);
void r_node_end(void);

/* In a fresh fork of the template: becomes a worker, for good. */
void r_node_work(int fd, const char *base, char name[TMPDIR_NAME]);

#endif
