/*
 * Transactions of an LMDB environment that is open. What fails is -errno:
 * -ECHILD in a fork of the process that opened it, -ENOENT where its file is
 * not there any more, -EIO after LMDB has given up, -EBUSY within another one.
 */
#ifndef POOL_LMDB_RUN_H
#define POOL_LMDB_RUN_H

#include <lmdb.h>
#include <stdbool.h>
#include <sys/types.h>

#include "alive.h"

struct lmdb_run {
	pid_t owner;
	int file;    /* LMDB's own descriptor of it */
	bool dead;   /* its map is lost, or LMDB gave it up */
	bool within; /* a transaction */
	MDB_env *env;
	struct alive alive;
};

/* Runs body(transaction, arg) in a transaction, which is committed if it
 * returns 0 or more, and then that is the value. It may be run again, from the
 * start, where the file had to grow. What LMDB returns in it goes through
 * lmdb_errno(). A write waits for its turn; -EINTR where a signal came then,
 * and nothing has been done. */
typedef int lmdb_body(MDB_txn *txn, void *arg);
int lmdb_run_read(struct lmdb_run *r, lmdb_body *body, void *arg);
int lmdb_run_write(struct lmdb_run *r, lmdb_body *body, void *arg);

/* How many seconds a write waits for its turn before it is -ETIMEDOUT, and
 * nothing has been done; 0, as it is at first: for ever. */
void lmdb_run_patience(unsigned seconds);

/* Who had the turn when that happened last; -1: nobody who can be seen. */
pid_t lmdb_run_holder(void);

/* Can it be used? 0 or what these would return. */
int lmdb_run_ready(const struct lmdb_run *r);

/* Lets go of what dead readers hold: how many there were. */
int lmdb_run_readers(struct lmdb_run *r, int *dead);

#endif
