/* What runs in the template and in a worker. */
#ifndef POOL_R_NODE_H
#define POOL_R_NODE_H

#include <signal.h>
#include <sys/types.h>

#include "r_stream.h"
#include "r_util.h"
#include "record.h"
#include "tmpdir.h"

/* In a fresh fork of the session: becomes its template, for good. */
_Noreturn void r_node_template(int control, pid_t session, int niceness,
			       const char *output, const char *base,
			       const sigset_t *mask);

/* Is this the template, a worker, or a child that one of them has forked? */
bool r_node_is(void);

/* What a node was at is not what a template that it makes is at. */
void r_node_forget(void);

/* Around each element of a claim, counted from 0: it begins, unless it is not
 * to (false); it has ended, or failed. */
bool r_node_begin(R_xlen_t i);
void r_node_end(bool failed);

/* May something be told of the running element, before its result? Then over
 * which channel, and what it was given as. */
bool r_node_hears(struct chan **chan, const struct wire_head **given);
extern const struct r_patience r_node_patience;

/* Its doorbell is that of the node that a template was made by. */
void r_bell_forget(void);

/* A worker's own record; NULL where it has none. */
struct record *r_node_record(void);

/* This process is a node now, with its end of a channel; until it is none any
 * more. Warming, it never waits, nor leaves, nor shares memory. */
void r_node_open(int fd, bool warming);
void r_node_close(void);

/* Its whole path, with what has been sent. */
void r_node_warm(void);

/* In a fresh fork of the template: becomes a worker, for good. */
void r_node_work(int fd, const char *base, char name[TMPDIR_NAME]);

#endif
