/* Work on a job: each function a transaction. */
#include "job_work.h"

#include <errno.h>
#include <stdlib.h>

#include "job_claim.h"
#include "job_task.h"

static int begin(struct job_txn *t, MDB_txn *txn, struct job *j)
{
	return job_txn_begin(t, txn, j->env, &j->damage);
}

/* -- large values -- */

/* A change of the job that takes values along. */
struct change {
	struct job *job;
	const struct bytes *values;
	struct large_ref *refs;
	size_t n;
	const struct job_done *done;
	size_t most;
	uint64_t me, first;
};

static struct value value_of(const struct change *c, size_t i)
{
	return (struct value){.large = c->values[i].n > LARGE_LEAST,
			      .bytes = c->values[i],
			      .ref = c->refs[i]};
}

/* Where LMDB gave up in a commit, nobody knows whether it took place. */
static int write_values(struct change *c, lmdb_body *body)
{
	struct job *j = c->job;
	uint64_t file = 0;
	if (!lmdb_env_is_ours(j->env))
		return -ECHILD;
	c->refs = calloc(c->n + 1, sizeof(*c->refs));
	if (!c->refs)
		return -ENOMEM;
	int rc = large_write(job_directory(j), c->values, c->n, c->refs, &file);
	if (rc == 0)
		rc = lmdb_env_write(j->env, body, c);
	if (rc < 0 && file != 0 && lmdb_env_is_usable(j->env))
		large_remove(job_directory(j), file);
	free(c->refs);
	return rc;
}

static int add(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct job_txn t;
	int rc = begin(&t, txn, c->job);
	if (rc < 0)
		return rc;
	c->first = t.head.tasks + 1;
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		struct value v = value_of(c, i);
		rc = job_task_append(&t, &v);
	}
	t.head.count[TASK_QUEUED] += c->n;
	if (rc == 0 && c->n > 0)
		rc = job_queue_add(&t, c->first, t.head.tasks);
	return rc < 0 ? rc : job_txn_end(&t);
}

int job_add(struct job *j, const struct bytes *tasks, size_t n, uint64_t *first)
{
	struct change c = {.job = j, .values = tasks, .n = n};
	int rc = write_values(&c, add);
	*first = c.first;
	return rc;
}

/* -- results and claims -- */

static int finish_all(struct job_txn *t, const struct change *c)
{
	int rc = 0;
	for (size_t i = 0; i < c->n && rc >= 0; i++) {
		struct job_result r = {.status = c->done[i].status,
				       .seconds = c->done[i].seconds,
				       .value = value_of(c, i)};
		rc = job_task_finish(t, c->done[i].task, &r);
	}
	return rc < 0 ? rc : 0;
}

static int take(const struct job_txn *t, uint64_t task, struct job_items *out)
{
	struct job_item item = {.task = task};
	struct value v;
	int rc = item.tries = job_task_tries(t, task);
	if (rc >= 0)
		rc = job_task_get(t, task, &v);
	return rc < 0 ? rc : job_items_add(out, &item, &v);
}

static int claim_some(struct job_txn *t, const struct change *c)
{
	struct job_items *out = &c->job->claimed;
	while (out->n < c->most) {
		uint64_t first;
		int n = job_task_claim(t, c->me, c->most - out->n, &first);
		if (n <= 0)
			return n;
		for (int i = 0; i < n; i++) {
			int rc = take(t, first + (uint64_t)i, out);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int commit(MDB_txn *txn, void *arg)
{
	struct change *c = arg;
	struct job *j = c->job;
	struct job_txn t;
	c->me = j->me;
	job_items_clear(&j->claimed);
	int rc = begin(&t, txn, j);
	if (rc == 0)
		rc = finish_all(&t, c);
	if (rc == 0 && c->most > 0 && !t.head.terminated) {
		rc = job_join(&t, j->slot, &c->me);
		if (rc >= 0)
			rc = job_bury(&t, lmdb_env_alive(j->env), rc > 0);
		if (rc >= 0)
			rc = claim_some(&t, c);
	}
	return rc < 0 ? rc : job_txn_end(&t);
}

/* A claimant needs a slot; one that was lost is somebody else's. */
static int have_slot(struct job *j)
{
	struct alive *a = lmdb_env_alive(j->env);
	int rc = j->slot < 0 ? -EOWNERDEAD : alive_renew(a, j->slot);
	if (rc != -EOWNERDEAD)
		return rc;
	j->me = 0;
	j->slot = alive_take(a);
	return j->slot < 0 ? j->slot : 0;
}

/* In a slot without a number of ours who died there would be alive. */
static void leave_if_idle(struct job *j)
{
	if (j->me != 0 || j->slot < 0)
		return;
	alive_leave(lmdb_env_alive(j->env), j->slot);
	j->slot = -1;
}

int job_commit(struct job *j, const struct job_done *done, size_t n,
	       size_t most)
{
	struct change c = {.job = j, .done = done, .n = n, .most = most};
	job_items_clear(&j->claimed);
	if (!lmdb_env_is_ours(j->env))
		return -ECHILD;
	struct bytes *values = calloc(n + 1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		values[i] = done[i].value;
	c.values = values;
	int rc = most > 0 ? have_slot(j) : 0;
	if (rc == 0)
		rc = write_values(&c, commit);
	free(values);
	if (rc == 0)
		j->me = c.me;
	else
		job_items_clear(&j->claimed);
	leave_if_idle(j);
	return rc;
}

static int charge(MDB_txn *txn, void *arg)
{
	const struct change *c = arg;
	struct job_txn t;
	uint64_t who = 0, task = c->done->task;
	int rc = begin(&t, txn, c->job);
	if (rc == 0 && (task < 1 || task > t.head.tasks))
		rc = -ERANGE;
	if (rc == 0)
		rc = job_number_get(&t, JOB_CLAIM, task, &who);
	if (rc == -ENOENT || (rc == 0 && who != c->job->me))
		return 0; /* it was taken from us */
	int tries = rc == 0 ? job_task_charge(&t, task) : rc;
	if (tries < 0)
		return tries;
	bool last = (size_t)tries >= c->most;
	struct job_result r = {.status = TASK_LOST, .value = value_of(c, 0)};
	rc = last ? job_task_finish(&t, task, &r) : job_task_return(&t, task);
	if (rc >= 0)
		rc = job_txn_end(&t);
	return rc < 0 ? rc : last;
}

int job_charge(struct job *j, uint64_t task, int most, struct bytes value)
{
	struct job_done done = {.task = task, .status = TASK_LOST};
	struct change c = {.job = j,
			   .values = &value,
			   .n = 1,
			   .done = &done,
			   .most = most < 0 ? 0 : (size_t)most};
	return write_values(&c, charge);
}

struct given {
	struct job *job;
	const uint64_t *tasks;
	size_t n;
};

static int release(MDB_txn *txn, void *arg)
{
	const struct given *g = arg;
	struct job_txn t;
	int rc = begin(&t, txn, g->job);
	for (size_t i = 0; i < g->n && rc >= 0; i++) {
		uint64_t who;
		rc = job_number_get(&t, JOB_CLAIM, g->tasks[i], &who);
		if (rc == 0 && who == g->job->me)
			rc = job_task_return(&t, g->tasks[i]);
		else if (rc == -ENOENT)
			rc = 0;
	}
	return rc < 0 ? rc : job_txn_end(&t);
}

int job_release(struct job *j, const uint64_t *tasks, size_t n)
{
	struct given g = {j, tasks, n};
	return lmdb_env_write(j->env, release, &g);
}

int job_give_back(struct job *j)
{
	size_t n = j->claimed.n;
	uint64_t *tasks = calloc(n + 1, sizeof(*tasks));
	if (!tasks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		tasks[i] = j->claimed.item[i].task;
	int rc = job_release(j, tasks, n);
	free(tasks);
	return rc;
}
