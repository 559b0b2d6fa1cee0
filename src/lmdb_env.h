/*
 * LMDB environments: a directory with data.mdb, lock.mdb and alive (alive.h).
 *
 * There is one environment for each directory in a process, shared by all that
 * open it: a second one would take the first one's locks away. After a fork the
 * child cannot use its parent's (-ECHILD), and opens its own. Writes are on the
 * disk when lmdb_env_write() returns: LMDB's default flags.
 *
 * What fails is -errno: -ENOENT for a directory that is not there any more,
 * -EPERM for one that is another user's, -EREMOTE for a file system that is not
 * of this machine, -EPROTO for a directory that has no such tables,
 * -EPROTONOSUPPORT for another format of LMDB's, -EBADMSG for a damaged file.
 */
#ifndef POOL_LMDB_ENV_H
#define POOL_LMDB_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "lmdb_errno.h"
#include "lmdb_run.h"

enum { LMDB_TABLES = 8 };

struct lmdb_env;

struct lmdb_plan {
	const char *const *tables; /* their names */
	size_t n;		   /* at most LMDB_TABLES */
	bool create;		   /* in an empty directory */
	bool removed;		   /* values are, later */
};

/* Opens what is in the directory, or counts one user more of what this process
 * has open. */
int lmdb_env_open(struct lmdb_env **out, const char *path,
		  const struct lmdb_plan *plan);
void lmdb_env_close(struct lmdb_env *e);

/* As lmdb_run_read() and lmdb_run_write(). */
int lmdb_env_read(struct lmdb_env *e, lmdb_body *body, void *arg);
int lmdb_env_write(struct lmdb_env *e, lmdb_body *body, void *arg);

/* The i-th table of the plan. */
MDB_dbi lmdb_env_table(const struct lmdb_env *e, size_t i);

/* Did this process open it, and not one that it is a fork of? */
bool lmdb_env_is_ours(const struct lmdb_env *e);

/* That, and it works, and its directory is still there. */
bool lmdb_env_is_usable(const struct lmdb_env *e);

/* Of the environment, and not to be closed: who is alive; its directory. */
struct alive *lmdb_env_alive(struct lmdb_env *e);
int lmdb_env_directory(const struct lmdb_env *e);

#endif
