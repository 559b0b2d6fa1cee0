/* The tables of a queue. */
#include "queue_tables.h"

#include <errno.h>
#include <string.h>

const char *const queue_table_names[QUEUE_TABLES] = {[QUEUE_META] = "meta",
						     [QUEUE_INPUT] = "input",
						     [QUEUE_SHELF] = "shelf",
						     [QUEUE_OUTPUT] = "output"};

/* The seals of queues are not those of jobs. */
enum { TAG = 64 };

static struct sealed queue_sealed(const struct queue_txn *s,
				  enum queue_table table)
{
	return (struct sealed){.txn = s->txn,
			       .dbi = lmdb_env_table(s->env, table),
			       .tag = (unsigned char)(TAG + table)};
}

static const struct bytes head_key = {"head", 4};

int queue_txn_begin(struct queue_txn *s, MDB_txn *txn,
		    const struct lmdb_env *env)
{
	struct bytes content;
	*s = (struct queue_txn){.txn = txn, .env = env};
	struct sealed meta = queue_sealed(s, QUEUE_META);
	int rc = sealed_get(&meta, head_key, &content);
	if (rc < 0)
		return rc == -ENOENT ? -EPROTO : rc;
	if (content.n >= sizeof s->head.format)
		memcpy(&s->head, content.at, sizeof s->head.format);
	if (s->head.format > QUEUE_FORMAT)
		return -EPROTONOSUPPORT;
	if (content.n != sizeof s->head)
		return -EBADMSG;
	memcpy(&s->head, content.at, sizeof s->head);
	return 0;
}

int queue_txn_end(const struct queue_txn *s)
{
	struct sealed meta = queue_sealed(s, QUEUE_META);
	return sealed_put(&meta, head_key,
			  (struct bytes){&s->head, sizeof s->head},
			  (struct bytes){0}, 0);
}

/* Behind all others of its table; *key is its key. */
int queue_append(struct queue_txn *s, enum queue_table table,
		 const struct value *v, uint64_t *key)
{
	unsigned char head[VALUE_HEAD];
	struct sealed t = queue_sealed(s, table);
	struct number_key k = number_key(s->head.last + 1);
	size_t n = value_head(v, head);
	int rc = sealed_put(&t, (struct bytes){&k, sizeof k},
			    (struct bytes){head, n}, value_tail(v), MDB_APPEND);
	if (rc < 0)
		return rc == -EEXIST ? -EBADMSG : rc;
	*key = ++s->head.last;
	s->head.count[table]++;
	return 0;
}

int queue_drop(struct queue_txn *s, enum queue_table table, uint64_t key)
{
	struct sealed t = queue_sealed(s, table);
	struct number_key k = number_key(key);
	if (s->head.count[table]-- == 0)
		return -EBADMSG;
	return sealed_delete(&t, (struct bytes){&k, sizeof k});
}

/* The first one from *key on; -ENOENT. */
int queue_next(const struct queue_txn *s, enum queue_table table, uint64_t *key,
	       struct value *v)
{
	MDB_cursor *c;
	struct bytes content;
	struct sealed t = queue_sealed(s, table);
	struct number_key k = number_key(*key);
	struct bytes found = {&k, sizeof k};
	int rc = lmdb_errno(mdb_cursor_open(s->txn, t.dbi, &c));
	if (rc < 0)
		return rc;
	rc = sealed_step(&t, c, MDB_SET_RANGE, &found, &content);
	if (rc == 0)
		rc = number_of_key(found, key);
	if (rc == 0)
		rc = value_read(content, v);
	mdb_cursor_close(c);
	return rc;
}
