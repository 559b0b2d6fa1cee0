/*
 * The tables of a job, in one transaction. A task's number is its key.
 *
 *   meta      "format", "manifest", "head" (struct job_head)
 *   task      what it is to work on
 *   queue     tasks that nobody has: the last of a range -> the first of it
 *   claim     -> the number of the claimant that is at it
 *   result    status, seconds, value; written once
 *   tries     how many deaths it is charged with, where there are any
 *   claimant  slot (alive.h) -> the claimant's number, which nobody had before
 *
 * So a task is queued, or claimed, or has a result. What fails is -errno;
 * -EBADMSG for a damaged record, which then is noted in the transaction.
 */
#ifndef POOL_JOB_TABLES_H
#define POOL_JOB_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "lmdb_env.h"
#include "sealed.h"
#include "task_state.h"
#include "value.h"

enum job_table {
	JOB_META,
	JOB_TASK,
	JOB_QUEUE,
	JOB_CLAIM,
	JOB_RESULT,
	JOB_TRIES,
	JOB_CLAIMANT,
	JOB_TABLES
};

/* Their names, as a plan of an environment has them. */
extern const char *const job_table_names[JOB_TABLES];

struct job_head {
	uint64_t terminated;
	uint64_t tasks;
	uint64_t count[TASK_STATES]; /* of them in each state */
	uint64_t claimants;	     /* the number of the last one */
	uint64_t tried;		     /* tasks that tries knows */
};

/* Which record is damaged. */
struct job_damage {
	enum job_table table;
	uint64_t number; /* of the task; 0 in meta */
	bool known;
};

struct job_txn {
	MDB_txn *txn;
	const struct lmdb_env *env;
	struct job_head head;
	bool changed; /* the head */
	struct job_damage *damage;
};

/* Begins with a look at the head, and ends by writing it. */
int job_txn_begin(struct job_txn *t, MDB_txn *txn, const struct lmdb_env *env,
		  struct job_damage *damage);
int job_txn_end(struct job_txn *t);

/* Notes which record was damaged, if rc says so; rc. */
int job_noted(const struct job_txn *t, int rc, enum job_table table,
	      uint64_t number);

/* One of the table meta. */
int job_meta_get(const struct job_txn *t, const char *name,
		 struct value *value);
int job_meta_put(const struct job_txn *t, const char *name,
		 const struct value *value);

int job_task_get(const struct job_txn *t, uint64_t task, struct value *value);

/* Behind all others. */
int job_task_append(struct job_txn *t, const struct value *value);

/* Takes at most *n tasks that follow each other off the front of the queue:
 * *n of them from *first on; -ENOENT: there is none. */
int job_queue_take(const struct job_txn *t, uint64_t *first, uint64_t *n);
/* Is it whole, and all of those that are to be in it? */
int job_queue_check(const struct job_txn *t);

int job_queue_add(const struct job_txn *t, uint64_t first, uint64_t last);
int job_queue_remove(const struct job_txn *t, uint64_t task);

/* A number in the tables claim, tries or claimant; -ENOENT. */
int job_number_get(const struct job_txn *t, enum job_table table, uint64_t key,
		   uint64_t *number);
int job_number_put(const struct job_txn *t, enum job_table table, uint64_t key,
		   uint64_t number);
int job_number_delete(const struct job_txn *t, enum job_table table,
		      uint64_t key);

/* The first one from *key on, whose key is then there; -ENOENT. */
int job_number_next(const struct job_txn *t, enum job_table table,
		    uint64_t *key, uint64_t *number);

struct job_result {
	enum task_state status;
	double seconds;
	struct value value;
};

int job_result_get(const struct job_txn *t, uint64_t task,
		   struct job_result *result);
int job_result_put(const struct job_txn *t, uint64_t task,
		   const struct job_result *result);

/* The first one from *task on, whose number is then there; -ENOENT. */
int job_result_next(const struct job_txn *t, MDB_cursor *c, uint64_t *task,
		    struct job_result *result);

#endif
