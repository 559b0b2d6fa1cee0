/* A job's coming and going. */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_claim.h"
#include "newdir.h"
#include "tmpdir.h"

static const struct lmdb_plan plan = {.tables = job_table_names,
				      .n = JOB_TABLES};

/* -- making -- */

struct making {
	struct job *job;
	const struct bytes *values; /* the manifest, then tasks */
	struct large_ref *refs;
	size_t n;
};

static struct value value_of(const struct making *m, size_t i)
{
	return (struct value){.large = m->values[i].n > LARGE_LEAST,
			      .bytes = m->values[i],
			      .ref = m->refs[i]};
}

static int fill(MDB_txn *txn, void *arg)
{
	static const uint32_t format = JOB_FORMAT;
	const struct making *m = arg;
	struct job_txn t = {.txn = txn,
			    .env = m->job->env,
			    .damage = &m->job->damage,
			    .changed = true};
	struct value f = {.bytes = {&format, sizeof format}};
	struct value manifest = value_of(m, 0);
	int rc = job_meta_put(&t, "format", &f);
	if (rc == 0)
		rc = job_meta_put(&t, "manifest", &manifest);
	for (size_t i = 1; i < m->n && rc == 0; i++) {
		struct value v = value_of(m, i);
		rc = job_task_append(&t, &v);
	}
	if (rc == 0 && m->n > 1)
		rc = job_queue_add(&t, 1, m->n - 1);
	t.head.count[TASK_QUEUED] = m->n - 1;
	return rc == 0 ? job_txn_end(&t) : rc;
}

static int fill_directory(struct making *m, const char *path)
{
	struct job *j = m->job;
	struct lmdb_plan create = plan;
	uint64_t file;
	create.create = true;
	int rc = lmdb_env_open(&j->env, path, &create);
	if (rc == 0)
		rc = large_prepare(job_directory(j));
	if (rc == 0)
		rc = large_write(job_directory(j), m->values, m->n, m->refs,
				 &file);
	return rc == 0 ? lmdb_env_write(j->env, fill, m) : rc;
}

static int make(struct making *m, const char *store, const char *id)
{
	struct job *j = m->job;
	char *made = NULL;
	int rc = newdir_path(store, id, &j->path);
	if (rc == 0)
		rc = newdir_make(store, &made);
	if (rc == 0)
		rc = fill_directory(m, made);
	if (rc == 0)
		rc = newdir_publish(made, store, j->path);
	if (rc < 0 && made) {
		lmdb_env_close(j->env);
		j->env = NULL;
		(void)tmpdir_remove(made);
	}
	free(made);
	return rc;
}

static struct job *new_job(void)
{
	struct job *j = calloc(1, sizeof(*j));
	if (j)
		*j = (struct job){.slot = -1};
	return j;
}

int job_create(struct job **out, const char *store, const char *id,
	       struct bytes manifest, const struct bytes *tasks, size_t n)
{
	struct making m = {.job = new_job(), .n = n + 1};
	struct bytes *values = calloc(n + 1, sizeof(*values));
	m.refs = calloc(n + 1, sizeof(*m.refs));
	int rc = m.job && values && m.refs ? 0 : -ENOMEM;
	if (rc == 0) {
		values[0] = manifest;
		if (n > 0)
			memcpy(values + 1, tasks, n * sizeof(*values));
		m.values = values;
		rc = make(&m, store, id);
	}
	free(values);
	free(m.refs);
	if (rc < 0)
		job_forget(m.job);
	else
		*out = m.job;
	return rc;
}

/* -- opening -- */

static int look(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct job_txn t = {.txn = txn, .env = j->env, .damage = &j->damage};
	struct value v;
	uint32_t format;
	int rc = job_meta_get(&t, "format", &v);
	if (rc < 0)
		return rc == -ENOENT ? -EPROTO : rc;
	if (v.large || v.bytes.n != sizeof format)
		return -EPROTO;
	memcpy(&format, v.bytes.at, sizeof format);
	if (format != JOB_FORMAT)
		return format > JOB_FORMAT ? -EPROTONOSUPPORT : -EPROTO;
	return job_txn_begin(&t, txn, j->env, &j->damage);
}

int job_open(struct job **out, const char *store, const char *id)
{
	struct job *j = new_job();
	if (!j)
		return -ENOMEM;
	*out = j;
	int rc = newdir_path(store, id, &j->path);
	if (rc == 0)
		rc = lmdb_env_open(&j->env, j->path, &plan);
	if (rc == 0)
		rc = lmdb_env_read(j->env, look, j);
	if (rc == 0)
		large_clean(job_directory(j));
	return rc;
}

/* -- closing -- */

static int part(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct job_txn t;
	int rc = job_txn_begin(&t, txn, j->env, &j->damage);
	if (rc == 0)
		rc = job_part(&t, j->slot, j->me);
	return rc < 0 ? rc : job_txn_end(&t);
}

int job_close(struct job *j)
{
	int rc = 0;
	if (j && j->env && j->me)
		rc = lmdb_env_write(j->env, part, j);
	job_forget(j);
	return rc;
}

void job_forget(struct job *j)
{
	if (!j)
		return;
	if (j->env && lmdb_env_is_ours(j->env)) {
		if (j->slot >= 0)
			alive_leave(lmdb_env_alive(j->env), j->slot);
		lmdb_env_close(j->env);
	}
	job_items_release(&j->claimed);
	free(j->path);
	free(j);
}

int job_delete(const char *store, const char *id)
{
	char *path;
	int rc = newdir_path(store, id, &path);
	if (rc == 0)
		rc = newdir_remove(store, path);
	free(path);
	return rc;
}

int job_directory(const struct job *j)
{
	return lmdb_env_directory(j->env);
}

void job_damage_text(const struct job *j, char *out, size_t room)
{
	static const char *const of_task[JOB_TABLES] = {
		[JOB_TASK] = "task",
		[JOB_CLAIM] = "the claim of task",
		[JOB_RESULT] = "the result of task",
		[JOB_QUEUE] = "the queue at task",
		[JOB_TRIES] = "the tries of task",
		[JOB_CLAIMANT] = "the claimant in slot",
	};
	if (!j->damage.known)
		(void)snprintf(out, room, "its file of tables");
	else if (j->damage.table == JOB_META)
		(void)snprintf(out, room, "its head");
	else
		(void)snprintf(out, room, "%s %" PRIu64,
			       of_task[j->damage.table], j->damage.number);
}
