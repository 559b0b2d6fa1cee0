/*
 * Queues in a directory: tables of values, each first in, first out. The key of
 * an element is its place, which no other one ever had: who is moved gets a new
 * one. Any number of processes of one machine use them at the same time.
 *
 * Only the process that opened it may use it (-ECHILD). What returns 0 or more
 * is on the disk. What fails is -errno, as with a job (job.h).
 */
#ifndef POOL_QUEUE_H
#define POOL_QUEUE_H

#include <stdbool.h>

#include "job_items.h"
#include "queue_tables.h"

struct queue {
	struct lmdb_env *env;
};

/* At a path where nothing is. */
int queue_create(struct queue **out, const char *path);
int queue_open(struct queue **out, const char *path);
void queue_close(struct queue *q);

/* Removes what is there, if it is a queue (-EPROTO). */
int queue_delete(const char *path);

/* Can it be used: by this process, and still there? */
bool queue_is_usable(const struct queue *q);

int queue_push(struct queue *q, enum queue_table table,
	       const struct bytes *values, size_t n);

/* How many elements. */
int queue_count(struct queue *q, enum queue_table table, uint64_t *n);

/* Into `out`, whose items have keys for tasks: the first one, which stays; the
 * one of a key; all. 0: there is none. Large values are in the bytes of all. */
int queue_peek(struct queue *q, enum queue_table table, struct job_items *out);
int queue_get(struct queue *q, enum queue_table table, uint64_t key,
	      struct job_items *out);
int queue_list(struct queue *q, enum queue_table table, struct job_items *out);

/* Takes the first one, into `out`, and puts it into another table, where its
 * key is then the one in `out`; QUEUE_META: nowhere. 0: there is none. */
int queue_shift(struct queue *q, enum queue_table from, enum queue_table to,
		struct job_items *out);

/* Takes the one of a key, and puts another value into another table. 0: there
 * is none. */
int queue_move(struct queue *q, enum queue_table from, uint64_t key,
	       enum queue_table to, struct bytes value);

/* Moves all, in their order: how many. */
int queue_move_all(struct queue *q, enum queue_table from, enum queue_table to);

#endif
