/*
 * Queues in a directory. A large value has a file of its own, which is removed
 * when its element is: so a reader that finds no file looks again whether there
 * still is the element.
 */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "newdir.h"
#include "tmpdir.h"

static const struct lmdb_plan plan = {
	.tables = queue_table_names, .n = QUEUE_TABLES, .removed = true};

/* -- coming and going -- */

static int fill(MDB_txn *txn, void *arg)
{
	const struct queue *q = arg;
	struct queue_txn s = {
		.txn = txn, .env = q->env, .head = {.format = QUEUE_FORMAT}};
	return queue_txn_end(&s);
}

static int look(MDB_txn *txn, void *arg)
{
	struct queue_txn s;
	const struct queue *q = arg;
	return queue_txn_begin(&s, txn, q->env);
}

/* A path as parent and place: *slash is its last one, or NULL. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/")
			     : strndup(path, (size_t)(slash - path));
}

static int make(struct queue *q, const char *path, const char *parent)
{
	struct lmdb_plan create = plan;
	char *made;
	create.create = true;
	int rc = newdir_make(parent, &made);
	if (rc < 0)
		return rc;
	rc = lmdb_env_open(&q->env, made, &create);
	if (rc == 0)
		rc = large_prepare(lmdb_env_directory(q->env));
	if (rc == 0)
		rc = lmdb_env_write(q->env, fill, q);
	if (rc == 0)
		rc = newdir_publish(made, parent, path);
	if (rc < 0) {
		lmdb_env_close(q->env);
		q->env = NULL;
		(void)tmpdir_remove(made);
	}
	free(made);
	return rc;
}

static int start(struct queue **out, const char *path, bool create)
{
	char *parent = parent_of(path);
	struct queue *q = calloc(1, sizeof(*q));
	int rc = parent && q ? 0 : -ENOMEM;
	if (rc == 0)
		rc = create ? make(q, path, parent)
			    : lmdb_env_open(&q->env, path, &plan);
	if (rc == 0 && !create)
		rc = lmdb_env_read(q->env, look, q);
	if (rc == 0)
		large_clean(lmdb_env_directory(q->env));
	free(parent);
	if (rc < 0)
		queue_close(q);
	else
		*out = q;
	return rc;
}

int queue_create(struct queue **out, const char *path)
{
	return start(out, path, true);
}

int queue_open(struct queue **out, const char *path)
{
	return start(out, path, false);
}

void queue_close(struct queue *q)
{
	if (q)
		lmdb_env_close(q->env);
	free(q);
}

int queue_delete(const char *path)
{
	struct queue *q = NULL;
	char *parent = parent_of(path);
	int rc = parent ? queue_open(&q, path) : -ENOMEM;
	/* A damaged one, or one of a newer format, is one. */
	if (rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT)
		rc = newdir_remove(parent, path);
	if (q)
		queue_close(q);
	free(parent);
	return rc;
}

bool queue_is_usable(const struct queue *q)
{
	return q->env && lmdb_env_is_usable(q->env);
}

/* -- what is done with it: each a transaction -- */

struct change {
	struct queue *q;
	enum queue_table from, to;
	const struct value *values;
	size_t n;
	uint64_t key, count;
	struct job_items *out;
	struct large_ref gone; /* of the element that was removed */
};

static int out_of(const struct change *c, uint64_t key, const struct value *v)
{
	struct job_item item = {.task = key};
	return job_items_add(c->out, &item, v);
}

static int push(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;
	struct queue_txn s;
	uint64_t key;
	int rc = queue_txn_begin(&s, txn, c->q->env);
	for (size_t i = 0; i < c->n && rc == 0; i++)
		rc = queue_append(&s, c->to, &c->values[i], &key);
	return rc == 0 ? queue_txn_end(&s) : rc;
}

static void remove_files(struct queue *q, const struct value *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (values[i].large)
			large_remove(lmdb_env_directory(q->env),
				     values[i].ref.file);
}

/* A transaction that adds values: their files come first, and go again where it
 * surely did not take place. */
static int with_values(struct change *c, const struct bytes *bytes,
		       lmdb_body *body)
{
	uint64_t file;
	if (!lmdb_env_is_ours(c->q->env))
		return -ECHILD;
	struct value *values = calloc(c->n + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	int rc = 0;
	size_t i = 0;
	for (; i < c->n && rc == 0; i++) {
		values[i].bytes = bytes[i];
		values[i].large = bytes[i].n > LARGE_LEAST;
		rc = large_write(lmdb_env_directory(c->q->env), &bytes[i], 1,
				 &values[i].ref, &file);
	}
	c->values = values;
	if (rc == 0)
		rc = lmdb_env_write(c->q->env, body, c);
	if ((rc < 0 || c->count == 0) && lmdb_env_is_usable(c->q->env))
		remove_files(c->q, values, i);
	free(values);
	return rc;
}

int queue_push(struct queue *q, enum queue_table table,
	       const struct bytes *values, size_t n)
{
	struct change c = {.q = q, .to = table, .n = n, .count = n};
	return with_values(&c, values, push);
}

static int count(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct queue_txn s;
	int rc = queue_txn_begin(&s, txn, c->q->env);
	c->count = s.head.count[c->from];
	return rc;
}

int queue_count(struct queue *q, enum queue_table table, uint64_t *n)
{
	struct change c = {.q = q, .from = table};
	int rc = lmdb_env_read(q->env, count, &c);
	*n = c.count;
	return rc;
}

/* From a key on, at most n. */
static int list(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;
	struct queue_txn s;
	uint64_t key = c->key;
	int rc = queue_txn_begin(&s, txn, c->q->env);
	job_items_clear(c->out);
	for (; rc == 0 && c->out->n < c->n; key++) {
		struct value v;
		rc = queue_next(&s, c->from, &key, &v);
		if (rc == 0 && c->key > 0 && key != c->key)
			rc = -ENOENT;
		if (rc == 0)
			rc = out_of(c, key, &v);
	}
	return rc == -ENOENT ? 0 : rc;
}

/* The file of an element that was taken away meanwhile is not damaged: it has
 * none any more. The first one that is still large is the one of which it could
 * not be read. */
static bool was_taken(const struct change *c)
{
	struct job_items found = {.n = 0};
	struct change one = {.q = c->q, .from = c->from, .n = 1, .out = &found};
	size_t i = 0;
	while (i < c->out->n && !c->out->item[i].large)
		i++;
	if (i == c->out->n)
		return false;
	one.key = c->out->item[i].task;
	int rc = lmdb_env_read(c->q->env, list, &one);
	bool gone = rc == 0 && found.n == 0;
	job_items_release(&found);
	return gone;
}

static int list_whole(struct change *c)
{
	int rc;
	do {
		rc = lmdb_env_read(c->q->env, list, c);
		if (rc == 0)
			rc = job_items_load(c->out,
					    lmdb_env_directory(c->q->env));
	} while (rc == -EBADMSG && was_taken(c));
	return rc < 0 ? rc : c->out->n > 0;
}

int queue_peek(struct queue *q, enum queue_table table, struct job_items *out)
{
	struct change c = {.q = q, .from = table, .n = 1, .out = out};
	return list_whole(&c);
}

int queue_get(struct queue *q, enum queue_table table, uint64_t key,
	      struct job_items *out)
{
	struct change c = {
		.q = q, .from = table, .n = 1, .key = key, .out = out};
	return key == 0 ? 0 : list_whole(&c);
}

int queue_list(struct queue *q, enum queue_table table, struct job_items *out)
{
	struct change c = {.q = q, .from = table, .n = SIZE_MAX, .out = out};
	return list_whole(&c);
}

static int shift(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct queue_txn s;
	struct value v = {.large = false};
	uint64_t key = 0;
	int rc = queue_txn_begin(&s, txn, c->q->env);
	job_items_clear(c->out);
	if (rc == 0)
		rc = queue_next(&s, c->from, &key, &v);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* Copied, and seen to be whole, before anything is changed. */
	rc = out_of(c, key, &v);
	c->gone = v.ref;
	if (rc == 0)
		rc = job_items_load(c->out, lmdb_env_directory(c->q->env));
	if (rc == 0)
		rc = queue_drop(&s, c->from, key);
	struct job_item *item = &c->out->item[0];
	if (rc == 0 && c->to != QUEUE_META) {
		if (!v.large && item->n > 0)
			v.bytes.at = c->out->bytes.bytes + item->at;
		rc = queue_append(&s, c->to, &v, &item->task);
	}
	return rc == 0 ? queue_txn_end(&s) : rc;
}

int queue_shift(struct queue *q, enum queue_table from, enum queue_table to,
		struct job_items *out)
{
	struct change c = {.q = q, .from = from, .to = to, .out = out};
	int rc = lmdb_env_write(q->env, shift, &c);
	if (rc < 0 || out->n == 0)
		return rc;
	if (to == QUEUE_META)
		large_remove(lmdb_env_directory(q->env), c.gone.file);
	return 1;
}

static int move(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct queue_txn s;
	struct value v;
	uint64_t key = c->key;
	c->count = 0;
	c->gone.file = 0;
	int rc = queue_txn_begin(&s, txn, c->q->env);
	if (rc == 0)
		rc = queue_next(&s, c->from, &key, &v);
	if (rc == -ENOENT || (rc == 0 && key != c->key))
		return 0;
	if (rc == 0)
		rc = queue_drop(&s, c->from, key);
	if (rc == 0)
		rc = queue_append(&s, c->to, &c->values[0], &key);
	c->gone.file = rc == 0 && v.large ? v.ref.file : 0;
	c->count = 1;
	return rc == 0 ? queue_txn_end(&s) : rc;
}

int queue_move(struct queue *q, enum queue_table from, uint64_t key,
	       enum queue_table to, struct bytes value)
{
	struct change c = {.q = q, .from = from, .to = to, .n = 1, .key = key};
	int rc = with_values(&c, &value, move);
	if (rc < 0)
		return rc;
	large_remove(lmdb_env_directory(q->env), c.gone.file);
	return (int)c.count;
}

/* The value is copied: it is in a page that the transaction may change. */
static int move_first(struct queue_txn *s, const struct change *c,
		      struct job_items *copy, uint64_t last)
{
	struct value v;
	uint64_t key = 0;
	int rc = queue_next(s, c->from, &key, &v);
	if (rc == 0 && key > last)
		return -ENOENT;
	job_items_clear(copy);
	if (rc == 0)
		rc = job_items_add(copy, &(struct job_item){.task = key}, &v);
	if (rc == 0)
		rc = queue_drop(s, c->from, key);
	if (rc == 0 && !v.large && v.bytes.n > 0)
		v.bytes.at = copy->bytes.bytes;
	return rc == 0 ? queue_append(s, c->to, &v, &key) : rc;
}

static int move_all(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct queue_txn s;
	struct job_items copy = {.n = 0};
	int rc = queue_txn_begin(&s, txn, c->q->env);
	uint64_t last = s.head.last;
	for (c->count = 0; rc == 0; c->count += rc == 0)
		rc = move_first(&s, c, &copy, last);
	job_items_release(&copy);
	return rc == -ENOENT ? queue_txn_end(&s) : rc;
}

int queue_move_all(struct queue *q, enum queue_table from, enum queue_table to)
{
	struct change c = {.q = q, .from = from, .to = to};
	int rc = lmdb_env_write(q->env, move_all, &c);
	return rc < 0 ? rc : (int)c.count;
}
