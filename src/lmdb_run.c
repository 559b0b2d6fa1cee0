/*
 * Transactions. One that finds the map full, or grown by another process, ends,
 * has the map changed and begins again: that is why what is done in one is a
 * function. Signals wait while a write lasts, so that neither a stop nor
 * somebody's handler that jumps leaves all others waiting for it.
 *
 * LMDB's own locks are mutexes that survive their owner, but not a waiter that
 * is killed with the wake-up in its hands: then the others sleep on, though the
 * lock is free. So each is taken in turn (alive.h), and never waited for.
 */
#include "lmdb_run.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "disk.h"
#include "lmdb_errno.h"
#include "proc.h"
#include "timer.h"

enum { TRIES = 100 };

static unsigned patience;
static pid_t holder;

static const size_t least_room = (size_t)1 << 20;

/* LMDB's lock on the table of readers is taken, too. */
int lmdb_run_readers(struct lmdb_run *r, int *dead)
{
	int rc = alive_enter(&r->alive, ALIVE_READ, false);
	if (rc < 0)
		return rc;
	rc = lmdb_errno(mdb_reader_check(r->env, dead));
	alive_pass(&r->alive, ALIVE_READ);
	return rc;
}

/* Gives the map `size` bytes (0: as many as another process gave it). If it
 * cannot be had, LMDB has lost the one it had: so that is tried out first. */
static int remap(struct lmdb_run *r, size_t size)
{
	if (size > 0) {
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		/* cppcheck-suppress invalidFunctionArg */
		void *room = mmap(NULL, size, PROT_NONE, flags, -1, 0);
		if (room == MAP_FAILED)
			return -errno;
		(void)munmap(room, size);
	}
	int rc = lmdb_errno(mdb_env_set_mapsize(r->env, size));
	r->dead = rc < 0;
	return rc;
}

/* A reader that died may hold on to what could be used again. Else twice the
 * room, or where there are not so many addresses, what there is. */
static int grow(struct lmdb_run *r)
{
	MDB_envinfo info;
	int dead = 0;
	int rc = lmdb_run_readers(r, &dead);
	if (rc < 0 || dead > 0)
		return rc;
	rc = lmdb_errno(mdb_env_info(r->env, &info));
	if (rc < 0)
		return rc;
	if (info.me_mapsize > SIZE_MAX / 4)
		return -ENOSPC;
	rc = -ENOMEM;
	for (size_t more = info.me_mapsize;
	     rc == -ENOMEM && !r->dead && more >= least_room; more /= 2)
		rc = remap(r, info.me_mapsize + more);
	return rc;
}

/* A reader has its turn for a moment; no terminal stops it then. */
static int begin_read(const struct lmdb_run *r, MDB_txn **txn, int *code)
{
	sigset_t stops, old;
	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGTSTP);
	(void)sigaddset(&stops, SIGTTIN);
	(void)sigaddset(&stops, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stops, &old);
	int rc = alive_enter(&r->alive, ALIVE_READ, false);
	if (rc == 0) {
		*code = mdb_txn_begin(r->env, NULL, MDB_RDONLY, txn);
		alive_pass(&r->alive, ALIVE_READ);
		rc = lmdb_errno(*code);
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static int begin_once(const struct lmdb_run *r, unsigned flags, MDB_txn **txn,
		      int *code)
{
	if (flags & MDB_RDONLY)
		return begin_read(r, txn, code);
	*code = mdb_txn_begin(r->env, NULL, flags, txn);
	return lmdb_errno(*code);
}

static int begin(struct lmdb_run *r, unsigned flags, MDB_txn **txn)
{
	for (int i = 0; i < TRIES; i++) {
		int dead, code = 0;
		int rc = begin_once(r, flags, txn, &code);
		if (code == MDB_MAP_RESIZED)
			rc = remap(r, 0);
		else if (code == MDB_READERS_FULL && i == 0)
			rc = lmdb_run_readers(r, &dead);
		else
			return rc;
		if (rc < 0)
			return rc;
	}
	return -EAGAIN;
}

static int run_once(struct lmdb_run *r, unsigned flags, lmdb_body *body,
		    void *arg)
{
	MDB_txn *txn;
	int rc = begin(r, flags, &txn);
	if (rc < 0)
		return rc;
	rc = body(txn, arg);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	int ignored, code = mdb_txn_commit(txn);
	if (code == 0)
		return rc;
	/* Did LMDB give up? Then nobody knows whether it took place. */
	if (begin_read(r, &txn, &ignored) == 0)
		mdb_txn_abort(txn);
	else
		r->dead = true;
	return code == EIO ? disk_why_cut(r->file) : lmdb_errno(code);
}

int lmdb_run_ready(const struct lmdb_run *r)
{
	struct stat st;
	if (r->owner != proc_self())
		return -ECHILD;
	if (r->dead)
		return -EIO;
	if (r->within)
		return -EBUSY;
	if (fstat(r->file, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -ENOENT : 0;
}

static int run(struct lmdb_run *r, unsigned flags, lmdb_body *body, void *arg)
{
	int rc = lmdb_run_ready(r);
	if (rc < 0)
		return rc;
	r->within = true;
	rc = LMDB_FULL;
	for (int i = 0; i < TRIES && rc == LMDB_FULL; i++) {
		rc = run_once(r, flags, body, arg);
		int grown = rc == LMDB_FULL ? grow(r) : 0;
		rc = grown < 0 ? grown : rc;
	}
	r->within = false;
	return rc;
}

int lmdb_run_read(struct lmdb_run *r, lmdb_body *body, void *arg)
{
	return run(r, MDB_RDONLY, body, arg);
}

/* Those that ask for an end. */
static const int heard[] = {SIGINT, SIGTERM, SIGHUP};
enum { HEARD = sizeof heard / sizeof *heard };

void lmdb_run_patience(unsigned seconds)
{
	patience = seconds;
}

pid_t lmdb_run_holder(void)
{
	return holder;
}

/* What the caller has blocked stays so. */
static int wait_heard(const struct lmdb_run *r, const sigset_t *blocked)
{
	struct timer timer;
	sigset_t set;
	unsigned seconds = patience;
	(void)sigfillset(&set);
	for (int i = 0; i < HEARD; i++)
		if (!sigismember(blocked, heard[i]))
			(void)sigdelset(&set, heard[i]);
	if (seconds > 0) {
		timer_set(&timer, seconds);
		(void)sigdelset(&set, SIGALRM);
	}
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	int rc = alive_enter(&r->alive, ALIVE_WRITE, true);
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	if (seconds > 0 && timer_end(&timer) && rc == -EINTR) {
		holder = alive_holder(&r->alive, ALIVE_WRITE);
		rc = holder == 0 ? -EINTR : -ETIMEDOUT;
	}
	return rc;
}

/* R's handlers have calls begun again, which is what is waited in here. */
static int wait_for_turn(const struct lmdb_run *r, const sigset_t *blocked)
{
	struct sigaction old[HEARD];
	for (int i = 0; i < HEARD; i++) {
		(void)sigaction(heard[i], NULL, &old[i]);
		struct sigaction told = old[i];
		told.sa_flags &= ~SA_RESTART;
		(void)sigaction(heard[i], &told, NULL);
	}
	int rc = wait_heard(r, blocked);
	for (int i = 0; i < HEARD; i++)
		(void)sigaction(heard[i], &old[i], NULL);
	return rc;
}

/* Signals wait from before one's turn comes; only some are heard while one
 * waits for it. */
static int take_turn(const struct lmdb_run *r, const sigset_t *blocked)
{
	sigset_t set;
	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	int rc = alive_try(&r->alive, ALIVE_WRITE);
	return rc == -EAGAIN ? wait_for_turn(r, blocked) : rc;
}

int lmdb_run_write(struct lmdb_run *r, lmdb_body *body, void *arg)
{
	sigset_t old;
	int rc = lmdb_run_ready(r);
	if (rc < 0)
		return rc;
	disk_hold(&old);
	rc = take_turn(r, &old);
	if (rc == 0) {
		rc = run(r, 0, body, arg);
		alive_pass(&r->alive, ALIVE_WRITE);
	}
	disk_let_go(&old);
	return rc;
}
