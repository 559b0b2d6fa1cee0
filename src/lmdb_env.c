/* LMDB environments, one for each directory of a process. */
#include "lmdb_env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "io.h"
#include "lmdb_check.h"
#include "lmdb_dir.h"
#include "proc.h"

enum {
	READERS = 1024,
	LOCKS = 72 << 10, /* bytes of lock.mdb: more than they take */
	PRIVATE = 0600,
	TRIES = 100,
};

static const size_t first_room = (size_t)16 << 20;

struct lmdb_env {
	struct lmdb_env *next;
	size_t users;
	dev_t device; /* of data.mdb */
	ino_t inode;
	int directory;
	struct lmdb_run run;
	const char *const *tables; /* of the plan that it was opened by */
	MDB_dbi table[LMDB_TABLES];
};

static struct lmdb_env *all;

static struct lmdb_env *find(const struct stat *st)
{
	for (struct lmdb_env *e = all; e; e = e->next)
		if (e->run.owner == proc_self() && e->device == st->st_dev &&
		    e->inode == st->st_ino)
			return e;
	return NULL;
}

/* The door: LMDB's own opening and closing may fail when they meet. Nothing
 * stops whoever is behind it, for all others wait there. */
static int enter(const struct lmdb_env *e, sigset_t *old)
{
	sigset_t blocked;
	(void)sigfillset(&blocked);
	(void)sigprocmask(SIG_BLOCK, &blocked, old);
	return alive_enter(&e->run.alive, ALIVE_DOOR, false);
}

static void drop(struct lmdb_env *e)
{
	sigset_t old;
	(void)enter(e, &old);
	mdb_env_close(e->run.env);
	alive_close(&e->run.alive);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	io_close(&e->directory);
	free(e);
}

int lmdb_env_read(struct lmdb_env *e, lmdb_body *body, void *arg)
{
	return lmdb_run_read(&e->run, body, arg);
}

int lmdb_env_write(struct lmdb_env *e, lmdb_body *body, void *arg)
{
	return lmdb_run_write(&e->run, body, arg);
}

MDB_dbi lmdb_env_table(const struct lmdb_env *e, size_t i)
{
	return e->table[i];
}

bool lmdb_env_is_ours(const struct lmdb_env *e)
{
	return e->run.owner == proc_self();
}

bool lmdb_env_is_usable(const struct lmdb_env *e)
{
	return lmdb_run_ready(&e->run) == 0;
}

struct alive *lmdb_env_alive(struct lmdb_env *e)
{
	return &e->run.alive;
}

int lmdb_env_directory(const struct lmdb_env *e)
{
	return e->directory;
}

struct opening {
	struct lmdb_env *e;
	const struct lmdb_plan *plan;
};

static int open_tables(MDB_txn *txn, void *arg)
{
	const struct opening *o = arg;
	unsigned flags = o->plan->create ? MDB_CREATE : 0;
	if (!o->plan->create) {
		int whole = lmdb_check(txn, o->e->run.file, o->plan->removed);
		if (whole < 0)
			return whole;
	}
	for (size_t i = 0; i < o->plan->n; i++) {
		int rc = lmdb_errno(mdb_dbi_open(txn, o->plan->tables[i], flags,
						 &o->e->table[i]));
		if (rc < 0)
			return rc == -ENOENT ? -EPROTO : rc;
	}
	return 0;
}

/* A look through the file is at one state of it, which may be gone too soon. */
static int look_through(struct opening *o)
{
	int rc = -EAGAIN;
	for (int i = 0; i < TRIES && rc == -EAGAIN; i++)
		rc = lmdb_env_read(o->e, open_tables, o);
	return rc == -EAGAIN ? -EBADMSG : rc;
}

static int open_behind(struct lmdb_env *e, const char *path)
{
	sigset_t old;
	int rc = enter(e, &old);
	if (rc == 0)
		rc = disk_reserve(e->directory, "lock.mdb", LOCKS);
	if (rc == 0)
		rc = lmdb_errno(
			mdb_env_open(e->run.env, path, MDB_NOTLS, PRIVATE));
	if (rc == 0)
		rc = lmdb_errno(mdb_env_get_fd(e->run.env, &e->run.file));
	alive_pass(&e->run.alive, ALIVE_DOOR);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* LMDB opens a path: another directory may have taken the place of ours. */
static int identify(struct lmdb_env *e)
{
	struct stat opened, ours;
	if (fstat(e->run.file, &opened) < 0 ||
	    fstatat(e->directory, "data.mdb", &ours, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	e->device = ours.st_dev;
	e->inode = ours.st_ino;
	return opened.st_dev == ours.st_dev && opened.st_ino == ours.st_ino
		       ? 0
		       : -ENOENT;
}

static int open_new(struct lmdb_env *e, const char *path,
		    const struct lmdb_plan *plan)
{
	struct opening o = {e, plan};
	int dead, rc = alive_open(&e->run.alive, e->directory, "alive");
	if (rc == 0)
		rc = lmdb_errno(mdb_env_create(&e->run.env));
	if (rc == 0)
		rc = lmdb_errno(mdb_env_set_maxreaders(e->run.env, READERS));
	if (rc == 0)
		rc = lmdb_errno(mdb_env_set_maxdbs(e->run.env, LMDB_TABLES));
	if (rc == 0 && plan->create)
		rc = lmdb_errno(mdb_env_set_mapsize(e->run.env, first_room));
	if (rc == 0)
		rc = open_behind(e, path);
	if (rc == 0)
		rc = identify(e);
	if (rc == 0)
		rc = lmdb_run_readers(&e->run, &dead);
	if (rc < 0)
		return rc;
	return plan->create ? lmdb_env_write(e, open_tables, &o)
			    : look_through(&o);
}

static int open_held(struct lmdb_env **out, const char *path,
		     const struct lmdb_plan *plan)
{
	struct stat st = {.st_size = 0};
	int directory = lmdb_dir_open(path, plan->create, &st);
	if (directory < 0)
		return directory;
	struct lmdb_env *e = plan->create ? NULL : find(&st);
	if (e) {
		io_close(&directory);
		if (e->tables != plan->tables)
			return -EPROTO;
		e->users++;
		*out = e;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		io_close(&directory);
		return -ENOMEM;
	}
	*e = (struct lmdb_env){
		.run = {.owner = proc_self(), .alive = {.fd = -1}},
		.users = 1,
		.directory = directory,
		.tables = plan->tables};
	int rc = open_new(e, path, plan);
	if (rc < 0) {
		drop(e);
		return rc;
	}
	e->next = all;
	all = e;
	*out = e;
	return 0;
}

int lmdb_env_open(struct lmdb_env **out, const char *path,
		  const struct lmdb_plan *plan)
{
	sigset_t old;
	disk_hold(&old);
	int rc = open_held(out, path, plan);
	disk_let_go(&old);
	return rc;
}

void lmdb_env_close(struct lmdb_env *e)
{
	if (!e || e->run.owner != proc_self() || --e->users > 0)
		return;
	for (struct lmdb_env **p = &all; *p; p = &(*p)->next)
		if (*p == e) {
			*p = e->next;
			break;
		}
	drop(e);
}
