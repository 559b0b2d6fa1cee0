/*
 * A job in a directory: its tables (job_tables.h), its large values (large.h),
 * its files (job_file.h), and who is alive (alive.h).
 *
 * Each open job is one claimant, from its first claim on. Only the process that
 * opened it may use it (-ECHILD). What returns 0 is on the disk. What fails is
 * -errno: -EEXIST: the id is taken; -ENOENT: no such job, or it was deleted;
 * -EPROTO: that is no job; -EPROTONOSUPPORT: of a newer format; -EBADMSG: what
 * is there was damaged, and job_damage() says what; -EREMOTE: a file system of
 * a network.
 */
#ifndef POOL_JOB_H
#define POOL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "job_items.h"
#include "job_tables.h"

enum { JOB_FORMAT = 1 };

struct job {
	char *path;
	struct lmdb_env *env;
	int slot;    /* of who is alive; -1: none */
	uint64_t me; /* the claimant's number; 0: none yet */
	struct job_damage damage;
	struct job_items claimed; /* by the last call that claims */
};

/* Makes one in a directory that is there, whole or not at all; tasks may be
 * none. It is open then. */
int job_create(struct job **out, const char *store, const char *id,
	       struct bytes manifest, const struct bytes *tasks, size_t n);

/* Also where it fails *out is, if it is not NULL, to be asked about damage and
 * then forgotten. */
int job_open(struct job **out, const char *store, const char *id);

/* Releases what is claimed; -errno where that was not possible: it then goes
 * back like that of the dead. It is closed in any case. */
int job_close(struct job *j);

/* Lets go of it and touches nothing: for what must not wait, or fork. */
void job_forget(struct job *j);

/* Takes it away: those who have it open find that it is gone. */
int job_delete(const char *store, const char *id);

/* What the last -EBADMSG was about, in words. */
void job_damage_text(const struct job *j, char *out, size_t room);

/* The directory of its files and large values. */
int job_directory(const struct job *j);

#endif
