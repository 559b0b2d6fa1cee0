/*
 * Is a file of LMDB's whole? LMDB has no checksums, and follows what its pages
 * say: a damaged one would make it write over others, or end the process. So
 * each page that it may follow is looked at before it does: what is found is a
 * tree, in order, within the file, no page of it used twice or free. Values are
 * not looked at, they have seals (sealed.h).
 */
#ifndef POOL_LMDB_CHECK_H
#define POOL_LMDB_CHECK_H

#include <lmdb.h>
#include <stdbool.h>

/* Before LMDB opens the file, what it goes by then: 0, -EBADMSG or another
 * -errno. A file of another format is LMDB's to refuse. */
int lmdb_check_head(int file);

/* What a read transaction sees of the open file. `removed`: large values are
 * removed from it, so their own pages must be right, too. -EAGAIN: it is
 * changed so fast that another transaction is needed. */
int lmdb_check(MDB_txn *txn, int file, bool removed);

/* The same, without LMDB. */
struct lmdb_state {
	size_t page; /* bytes of one, at least 512 */
	size_t txn;
	bool removed;
};
int lmdb_check_state(int file, const struct lmdb_state *state);

#endif
