/*
 * The tables of a queue, in one transaction: values whose keys count up, over
 * all tables; the head knows the last key, and how many elements a table has.
 * What fails is -errno.
 */
#ifndef POOL_QUEUE_TABLES_H
#define POOL_QUEUE_TABLES_H

#include "lmdb_env.h"
#include "sealed.h"
#include "value.h"

enum queue_table {
	QUEUE_META,
	QUEUE_INPUT,
	QUEUE_SHELF,
	QUEUE_OUTPUT,
	QUEUE_TABLES
};

enum { QUEUE_FORMAT = 1 };

/* As a plan of an environment has them. */
extern const char *const queue_table_names[QUEUE_TABLES];

struct queue_head {
	uint64_t format;
	uint64_t last;
	uint64_t count[QUEUE_TABLES];
};

struct queue_txn {
	MDB_txn *txn;
	const struct lmdb_env *env;
	struct queue_head head;
};

/* Begins with a look at the head, and ends by writing it. */
int queue_txn_begin(struct queue_txn *s, MDB_txn *txn,
		    const struct lmdb_env *env);
int queue_txn_end(const struct queue_txn *s);

/* Behind all others of its table; *key is its key. */
int queue_append(struct queue_txn *s, enum queue_table table,
		 const struct value *v, uint64_t *key);
int queue_drop(struct queue_txn *s, enum queue_table table, uint64_t key);

/* The first one from *key on; -ENOENT. */
int queue_next(const struct queue_txn *s, enum queue_table table, uint64_t *key,
	       struct value *v);

#endif
