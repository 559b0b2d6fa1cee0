/* The tables of a job. */
#include "job_tables.h"

#include <errno.h>
#include <string.h>

const char *const job_table_names[JOB_TABLES] = {
	[JOB_META] = "meta",	     [JOB_TASK] = "task",
	[JOB_QUEUE] = "queue",	     [JOB_CLAIM] = "claim",
	[JOB_RESULT] = "result",     [JOB_TRIES] = "tries",
	[JOB_CLAIMANT] = "claimant",
};

static struct sealed sealed_table(const struct job_txn *t, enum job_table table)
{
	return (struct sealed){.txn = t->txn,
			       .dbi = lmdb_env_table(t->env, table),
			       .tag = (unsigned char)table};
}

int job_noted(const struct job_txn *t, int rc, enum job_table table,
	      uint64_t number)
{
	if (rc == -EBADMSG && !t->damage->known)
		*t->damage = (struct job_damage){table, number, true};
	return rc;
}

static struct bytes text(const char *name)
{
	return (struct bytes){name, strlen(name)};
}

static struct bytes key_bytes(const struct number_key *key)
{
	return (struct bytes){key, sizeof *key};
}

static int get(const struct job_txn *t, enum job_table table, uint64_t number,
	       struct bytes *content)
{
	struct sealed s = sealed_table(t, table);
	struct number_key key = number_key(number);
	return job_noted(t, sealed_get(&s, key_bytes(&key), content), table,
			 number);
}

/* -- the head -- */

static bool makes_sense(const struct job_head *h)
{
	uint64_t sum = 0;
	for (int i = TASK_QUEUED; i < TASK_STATES; i++) {
		if (h->count[i] > h->tasks)
			return false;
		sum += h->count[i];
	}
	return sum == h->tasks && h->terminated <= 1 && h->tried <= h->tasks;
}

int job_txn_begin(struct job_txn *t, MDB_txn *txn, const struct lmdb_env *env,
		  struct job_damage *damage)
{
	struct bytes content;
	*damage = (struct job_damage){.known = false};
	*t = (struct job_txn){.txn = txn, .env = env, .damage = damage};
	struct sealed s = sealed_table(t, JOB_META);
	int rc = sealed_get(&s, text("head"), &content);
	if (rc == -ENOENT || (rc == 0 && content.n != sizeof t->head))
		rc = -EBADMSG;
	if (rc == 0)
		memcpy(&t->head, content.at, sizeof t->head);
	if (rc == 0 && !makes_sense(&t->head))
		rc = -EBADMSG;
	return job_noted(t, rc, JOB_META, 0);
}

int job_txn_end(struct job_txn *t)
{
	if (!t->changed)
		return 0;
	struct sealed s = sealed_table(t, JOB_META);
	return sealed_put(&s, text("head"),
			  (struct bytes){&t->head, sizeof t->head},
			  (struct bytes){0}, 0);
}

/* -- values -- */

int job_meta_get(const struct job_txn *t, const char *name, struct value *value)
{
	struct bytes content;
	struct sealed s = sealed_table(t, JOB_META);
	int rc = sealed_get(&s, text(name), &content);
	if (rc == 0)
		rc = value_read(content, value);
	return job_noted(t, rc, JOB_META, 0);
}

int job_meta_put(const struct job_txn *t, const char *name,
		 const struct value *value)
{
	unsigned char head[VALUE_HEAD];
	struct sealed s = sealed_table(t, JOB_META);
	size_t n = value_head(value, head);
	return sealed_put(&s, text(name), (struct bytes){head, n},
			  value_tail(value), 0);
}

int job_task_get(const struct job_txn *t, uint64_t task, struct value *value)
{
	struct bytes content;
	int rc = get(t, JOB_TASK, task, &content);
	if (rc == 0)
		rc = value_read(content, value);
	return job_noted(t, rc == -ENOENT ? -EBADMSG : rc, JOB_TASK, task);
}

int job_task_append(struct job_txn *t, const struct value *value)
{
	unsigned char head[VALUE_HEAD];
	struct sealed s = sealed_table(t, JOB_TASK);
	struct number_key key = number_key(t->head.tasks + 1);
	size_t n = value_head(value, head);
	int rc = sealed_put(&s, key_bytes(&key), (struct bytes){head, n},
			    value_tail(value), MDB_APPEND);
	if (rc < 0)
		return job_noted(t, rc == -EEXIST ? -EBADMSG : rc, JOB_TASK,
				 t->head.tasks + 1);
	t->head.tasks++;
	t->changed = true;
	return 0;
}

/* -- numbers -- */

static int read_number(struct bytes content, uint64_t *number)
{
	if (content.n != sizeof *number)
		return -EBADMSG;
	memcpy(number, content.at, sizeof *number);
	return 0;
}

int job_number_get(const struct job_txn *t, enum job_table table, uint64_t key,
		   uint64_t *number)
{
	struct bytes content;
	int rc = get(t, table, key, &content);
	if (rc == 0)
		rc = read_number(content, number);
	return job_noted(t, rc, table, key);
}

int job_number_put(const struct job_txn *t, enum job_table table, uint64_t key,
		   uint64_t number)
{
	struct sealed s = sealed_table(t, table);
	struct number_key k = number_key(key);
	return sealed_put(&s, key_bytes(&k),
			  (struct bytes){&number, sizeof number},
			  (struct bytes){0}, 0);
}

int job_number_delete(const struct job_txn *t, enum job_table table,
		      uint64_t key)
{
	struct sealed s = sealed_table(t, table);
	struct number_key k = number_key(key);
	return sealed_delete(&s, key_bytes(&k));
}

/* The record of the first key from *number on. */
static int next(const struct job_txn *t, MDB_cursor *c, enum job_table table,
		uint64_t *number, struct bytes *content)
{
	struct sealed s = sealed_table(t, table);
	struct number_key from = number_key(*number);
	struct bytes key = key_bytes(&from);
	int rc = sealed_step(&s, c, MDB_SET_RANGE, &key, content);
	int known = rc == 0 || rc == -EBADMSG ? number_of_key(key, number) : 0;
	return job_noted(t, rc == 0 ? known : rc, table, *number);
}

int job_number_next(const struct job_txn *t, enum job_table table,
		    uint64_t *key, uint64_t *number)
{
	MDB_cursor *c;
	struct bytes content;
	int rc = lmdb_errno(
		mdb_cursor_open(t->txn, lmdb_env_table(t->env, table), &c));
	if (rc < 0)
		return rc;
	rc = next(t, c, table, key, &content);
	if (rc == 0)
		rc = job_noted(t, read_number(content, number), table, *key);
	mdb_cursor_close(c);
	return rc;
}

/* -- the queue -- */

/* The range with the lowest last task from `task` on. */
static int range(const struct job_txn *t, uint64_t task, uint64_t *first,
		 uint64_t *last)
{
	*last = task;
	int rc = job_number_next(t, JOB_QUEUE, last, first);
	if (rc == 0 && (*first == 0 || *first > *last || *last > t->head.tasks))
		rc = -EBADMSG;
	return job_noted(t, rc, JOB_QUEUE, *last);
}

int job_queue_take(const struct job_txn *t, uint64_t *first, uint64_t *n)
{
	uint64_t last;
	int rc = range(t, 0, first, &last);
	if (rc < 0)
		return rc;
	if (*n > last - *first) {
		*n = last - *first + 1;
		return job_number_delete(t, JOB_QUEUE, last);
	}
	return job_queue_add(t, *first + *n, last);
}

int job_queue_check(const struct job_txn *t)
{
	uint64_t first, last, from = 1, sum = 0;
	int rc;
	while ((rc = range(t, from, &first, &last)) == 0) {
		if (first < from)
			return job_noted(t, -EBADMSG, JOB_QUEUE, first);
		sum += last - first + 1;
		from = last + 1;
	}
	if (rc == -ENOENT)
		rc = sum == t->head.count[TASK_QUEUED] ? 0 : -EBADMSG;
	return job_noted(t, rc, JOB_QUEUE, 1);
}

int job_queue_add(const struct job_txn *t, uint64_t first, uint64_t last)
{
	return job_number_put(t, JOB_QUEUE, last, first);
}

int job_queue_remove(const struct job_txn *t, uint64_t task)
{
	uint64_t first, last;
	int rc = range(t, task, &first, &last);
	if (rc == -ENOENT || (rc == 0 && first > task))
		return job_noted(t, -EBADMSG, JOB_QUEUE, task);
	if (rc == 0 && first < task)
		rc = job_queue_add(t, first, task - 1);
	if (rc < 0)
		return rc;
	return task < last ? job_queue_add(t, task + 1, last)
			   : job_number_delete(t, JOB_QUEUE, last);
}

/* -- results -- */

enum { RESULT_HEAD = 9 }; /* status, seconds */

static int read_result(struct bytes content, struct job_result *r)
{
	const unsigned char *p = content.at;
	if (content.n < RESULT_HEAD || p[0] >= TASK_STATES ||
	    !task_is_over((enum task_state)p[0]))
		return -EBADMSG;
	r->status = (enum task_state)p[0];
	memcpy(&r->seconds, p + 1, sizeof r->seconds);
	return value_read(
		(struct bytes){p + RESULT_HEAD, content.n - RESULT_HEAD},
		&r->value);
}

int job_result_get(const struct job_txn *t, uint64_t task,
		   struct job_result *result)
{
	struct bytes content;
	int rc = get(t, JOB_RESULT, task, &content);
	if (rc == 0)
		rc = read_result(content, result);
	return job_noted(t, rc, JOB_RESULT, task);
}

int job_result_put(const struct job_txn *t, uint64_t task,
		   const struct job_result *result)
{
	unsigned char head[RESULT_HEAD + VALUE_HEAD];
	struct sealed s = sealed_table(t, JOB_RESULT);
	struct number_key key = number_key(task);
	head[0] = (unsigned char)result->status;
	memcpy(head + 1, &result->seconds, sizeof result->seconds);
	size_t n = value_head(&result->value, head + RESULT_HEAD);
	int rc = sealed_put(&s, key_bytes(&key),
			    (struct bytes){head, RESULT_HEAD + n},
			    value_tail(&result->value), MDB_NOOVERWRITE);
	/* Whoever gives one to a task has seen that it has none. */
	return job_noted(t, rc == -EEXIST ? -EBADMSG : rc, JOB_RESULT, task);
}

int job_result_next(const struct job_txn *t, MDB_cursor *c, uint64_t *task,
		    struct job_result *result)
{
	struct bytes content;
	int rc = next(t, c, JOB_RESULT, task, &content);
	if (rc == 0)
		rc = read_result(content, result);
	return job_noted(t, rc, JOB_RESULT, *task);
}
