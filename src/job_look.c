/* What is to be seen of a job, and what ends or mends it. */
#include "job_look.h"

#include <errno.h>

#include "job_claim.h"
#include "job_mend.h"

struct looking {
	struct job *job;
	struct job_items *out;
	struct job_head *head;
	uint64_t from, n;
};

static int begin(struct job_txn *t, MDB_txn *txn, struct job *j)
{
	return job_txn_begin(t, txn, j->env, &j->damage);
}

static int manifest(MDB_txn *txn, void *arg)
{
	const struct looking *l = arg;
	struct job_txn t;
	struct value v;
	struct job_item item = {.task = 0};
	job_items_clear(l->out);
	int rc = begin(&t, txn, l->job);
	if (rc == 0)
		rc = job_meta_get(&t, "manifest", &v);
	if (rc == -ENOENT)
		rc = job_noted(&t, -EBADMSG, JOB_META, 0);
	return rc < 0 ? rc : job_items_add(l->out, &item, &v);
}

int job_manifest(struct job *j, struct job_items *out)
{
	struct looking l = {.job = j, .out = out};
	return lmdb_env_read(j->env, manifest, &l);
}

static int status(MDB_txn *txn, void *arg)
{
	const struct looking *l = arg;
	struct job_txn t;
	int rc = begin(&t, txn, l->job);
	*l->head = t.head;
	return rc;
}

int job_status(struct job *j, struct job_head *out)
{
	struct looking l = {.job = j, .head = out};
	return lmdb_env_read(j->env, status, &l);
}

static int copy_results(const struct job_txn *t, MDB_cursor *c,
			const struct looking *l)
{
	uint64_t task = l->from;
	for (;; task++) {
		struct job_result r;
		int rc = job_result_next(t, c, &task, &r);
		/* One behind those that were asked for may be damaged. */
		if (rc == -ENOENT ||
		    ((rc == 0 || rc == -EBADMSG) && task - l->from >= l->n))
			return 0;
		struct job_item item = {
			.task = task, .status = r.status, .seconds = r.seconds};
		if (rc == 0)
			rc = job_items_add(l->out, &item, &r.value);
		if (rc < 0)
			return rc;
	}
}

static int results(MDB_txn *txn, void *arg)
{
	const struct looking *l = arg;
	struct job_txn t;
	MDB_cursor *c;
	job_items_clear(l->out);
	int rc = begin(&t, txn, l->job);
	if (rc == 0)
		rc = lmdb_errno(mdb_cursor_open(
			txn, lmdb_env_table(l->job->env, JOB_RESULT), &c));
	if (rc != 0)
		return rc;
	rc = copy_results(&t, c, l);
	mdb_cursor_close(c);
	return rc;
}

int job_results(struct job *j, uint64_t from, uint64_t n, struct job_items *out)
{
	struct looking l = {.job = j, .out = out, .from = from, .n = n};
	return lmdb_env_read(j->env, results, &l);
}

static int abandoned(MDB_txn *txn, void *arg)
{
	const struct looking *l = arg;
	struct job_txn t;
	struct job_living living;
	struct value none = {.large = false};
	job_items_clear(l->out);
	int rc = begin(&t, txn, l->job);
	if (rc == 0)
		rc = job_living(&t, lmdb_env_alive(l->job->env), false,
				&living);
	for (uint64_t task = 1; rc == 0; task++) {
		uint64_t who;
		struct job_item item;
		rc = job_number_next(&t, JOB_CLAIM, &task, &who);
		item = (struct job_item){.task = task};
		if (rc == 0 && !job_lives(&living, who))
			rc = job_items_add(l->out, &item, &none);
	}
	return rc == -ENOENT ? 0 : rc;
}

int job_abandoned(struct job *j, struct job_items *out)
{
	struct looking l = {.job = j, .out = out};
	return lmdb_env_read(j->env, abandoned, &l);
}

static int requeue(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct job_txn t;
	int rc = begin(&t, txn, j);
	int n = rc == 0 ? job_bury(&t, lmdb_env_alive(j->env), true) : rc;
	if (n >= 0)
		rc = job_queue_check(&t);
	if (n >= 0 && rc == 0)
		rc = job_txn_end(&t);
	return n < 0 || rc == 0 ? n : rc;
}

static int mend(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct job_txn t;
	int rc = begin(&t, txn, j);
	int n = rc == 0 ? job_mend(&t) : rc;
	if (n >= 0)
		rc = job_txn_end(&t);
	return n < 0 || rc == 0 ? n : rc;
}

int job_requeue(struct job *j)
{
	int rc = lmdb_env_write(j->env, requeue, j);
	if (rc == -EBADMSG && job_can_mend(&j->damage))
		rc = lmdb_env_write(j->env, mend, j);
	return rc;
}

static int terminate(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct job_txn t;
	int rc = begin(&t, txn, j);
	t.changed = t.head.terminated == 0;
	t.head.terminated = 1;
	return rc < 0 ? rc : job_txn_end(&t);
}

int job_terminate(struct job *j)
{
	return lmdb_env_write(j->env, terminate, j);
}
