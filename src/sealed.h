/*
 * Sealed records: LMDB has no checksums, so each value begins with a CRC-32C of
 * its table, its key and itself. A record that was changed, cut, or got to
 * another place is -EBADMSG, never something else.
 */
#ifndef POOL_SEALED_H
#define POOL_SEALED_H

#include <lmdb.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL = 4 }; /* bytes that it takes */

/* One table in a transaction. */
struct sealed {
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned char tag; /* what sets it apart in the seal */
};

/* A piece of memory, of somebody else's. */
struct bytes {
	const void *at;
	size_t n;
};

/* The key of a number, so that LMDB's order is theirs. */
struct number_key {
	unsigned char byte[8];
};
struct number_key number_key(uint64_t number);
/* -EBADMSG where a key is none. */
int number_of_key(struct bytes key, uint64_t *number);

/* The content of a record as LMDB has it. */
int sealed_check(unsigned char tag, struct bytes key, struct bytes record,
		 struct bytes *content);

/* Within the transaction, until its next change. -ENOENT: there is none. */
int sealed_get(const struct sealed *t, struct bytes key, struct bytes *content);

/* Two pieces, one after the other, with LMDB's flags of mdb_put(): -EEXIST
 * with MDB_NOOVERWRITE. */
int sealed_put(const struct sealed *t, struct bytes key, struct bytes head,
	       struct bytes tail, unsigned flags);

int sealed_delete(const struct sealed *t, struct bytes key);

/* The record that a cursor comes to, as mdb_cursor_get() with `op`; *key is
 * what it is to look for with MDB_SET_RANGE, and then the record's. */
int sealed_step(const struct sealed *t, MDB_cursor *c, MDB_cursor_op op,
		struct bytes *key, struct bytes *content);

#endif
