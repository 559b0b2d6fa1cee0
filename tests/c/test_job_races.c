/*
 * What others do just when we cannot see it: LMDB's functions are held up, and
 * another process acts meanwhile.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>

#include "queue.h"
#include "test_job.h"

/* Runs instead of the next call of that function, in which it is not heard. */
static void (*before_open)(void);
static void (*before_look)(void);
static void (*before_read)(void);
static void (*instead_of_commit)(void);
static struct lmdb_env *committing; /* whose turn it is then */
static void (*before_file)(void);   /* of a large value */

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	CHECK(found);
	return found;
}

static void act(void (**what)(void))
{
	void (*now)(void) = *what;
	*what = NULL;
	now();
}

int mdb_env_open(MDB_env *env, const char *path, unsigned flags,
		 mdb_mode_t mode)
{
	union {
		void *found;
		int (*call)(MDB_env *, const char *, unsigned, mdb_mode_t);
	} real = {.found = next("mdb_env_open")};
	if (before_open)
		act(&before_open);
	return real.call(env, path, flags, mode);
}

int mdb_env_stat(MDB_env *env, MDB_stat *stat)
{
	union {
		void *found;
		int (*call)(MDB_env *, MDB_stat *);
	} real = {.found = next("mdb_env_stat")};
	if (before_look)
		act(&before_look);
	return real.call(env, stat);
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
	union {
		void *found;
		int (*call)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);
	} real = {.found = next("mdb_txn_begin")};
	if ((flags & MDB_RDONLY) && before_read)
		act(&before_read);
	return real.call(env, parent, flags, txn);
}

/* The file has to grow. Others write in that time: this process has lost the
 * lock that its turn is. */
int mdb_txn_commit(MDB_txn *txn)
{
	union {
		void *found;
		int (*call)(MDB_txn *);
	} real = {.found = next("mdb_txn_commit")};
	if (!instead_of_commit)
		return real.call(txn);
	mdb_txn_abort(txn);
	alive_pass(lmdb_env_alive(committing), ALIVE_WRITE);
	act(&instead_of_commit);
	return MDB_MAP_FULL;
}

int openat(int directory, const char *name, int flags, ...)
{
	union {
		void *found;
		int (*call)(int, const char *, int, ...);
	} real = {.found = next("openat")};
	va_list more;
	va_start(more, flags);
	unsigned mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
	va_end(more);
	if (before_file && strncmp(name, "large/", 6) == 0)
		act(&before_file);
	return real.call(directory, name, flags, mode);
}

/* In another process. */
static void elsewhere(void (*what)(void))
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		what();
		_exit(0);
	}
	test_wait_ok(pid);
}

/* -- a job that is deleted, and another one made in its place, while the first
 * is opened: to work on one with the files and locks of the other -- */

static void make_again(void)
{
	CHECK(job_close(test_create("again", 20)) == 0);
}

static void take_its_place(void)
{
	char from[TMPDIR_MAX + 20], to[TMPDIR_MAX + 20];
	(void)snprintf(from, sizeof from, "%s/again", store);
	(void)snprintf(to, sizeof to, "%s/going", store);
	CHECK(rename(from, to) == 0); /* as a deletion begins */
	elsewhere(make_again);
}

static void test_again(void)
{
	struct job *j = NULL;
	CHECK(job_close(test_create("again", 10)) == 0);
	int before = test_descriptors(getpid());
	before_open = take_its_place;
	CHECK(job_open(&j, store, "again") == -ENOENT);
	CHECK(!before_open);
	job_forget(j);
	CHECK(test_descriptors(getpid()) == before);
	j = test_open("again");
	test_work(j, 7);
	test_all_done(j, 20);
	CHECK(job_close(j) == 0);
}

/* -- a stop while one opens a job, or begins to read it, which all others would
 * wait for -- */

static void stop(void)
{
	CHECK(raise(SIGSTOP) == 0);
}

static void stop_later(void)
{
	CHECK(raise(SIGTSTP) == 0);
}

static void test_stopped(void)
{
	int status;
	struct job *j = test_create("stop", 9);
	CHECK(job_close(j) == 0);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			(void)setpgid(0, 0); /* or nothing stops an orphan */
			if (i == 0)
				before_look = stop;
			else
				*(i == 1 ? &before_open : &before_read) =
					stop_later;
			j = test_open("stop");
			test_work(j, 3);
			CHECK(job_close(j) == 0);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, WUNTRACED) == pid &&
		      WIFSTOPPED(status));
		(void)alarm(10);
		j = test_open("stop");
		CHECK(job_commit(j, NULL, 0, 1) == 0);
		CHECK(job_close(j) == 0);
		(void)alarm(0);
		CHECK(kill(pid, SIGCONT) == 0);
		test_wait_ok(pid);
	}
	j = test_open("stop");
	test_all_done(j, 9);
	CHECK(job_close(j) == 0);
}

/* -- a transaction that is begun again, where something else has happened in
 * between -- */

static char path[TMPDIR_MAX + 20];

static void put_back(void)
{
	struct queue *q = NULL;
	CHECK(queue_open(&q, path) == 0);
	CHECK(queue_move_all(q, QUEUE_SHELF, QUEUE_INPUT) == 1);
	queue_close(q);
}

static void put_back_elsewhere(void)
{
	elsewhere(put_back);
}

/* What another process has taken is not removed. */
static void test_moved(void)
{
	static unsigned char much[TEST_LARGE] = {7};
	struct bytes value = {much, sizeof much}, result = {"done", 4};
	struct job_items out = {.n = 0};
	struct queue *q = NULL;
	(void)snprintf(path, sizeof path, "%s/queue", store);
	CHECK(queue_create(&q, path) == 0);
	CHECK(queue_push(q, QUEUE_INPUT, &value, 1) == 0);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	committing = q->env;
	instead_of_commit = put_back_elsewhere;
	CHECK(queue_move(q, QUEUE_SHELF, out.item[0].task, QUEUE_OUTPUT,
			 result) == 0);
	CHECK(!instead_of_commit);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 1);
	CHECK(out.item[0].n == sizeof much);
	CHECK(out.bytes.bytes[out.item[0].at] == 7);
	job_items_release(&out);
	queue_close(q);
	CHECK(queue_delete(path) == 0);
}

enum { RUNNERS_UP = 20 };

static void take_first(void)
{
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_open(&q, path) == 0);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 1);
	job_items_release(&out);
	queue_close(q);
}

/* Again and again, until one is left. */
static void take_all_but_one(void)
{
	static int taken;
	elsewhere(take_first);
	if (++taken < RUNNERS_UP)
		before_file = take_all_but_one;
}

/* However often others take the first one before it could be read, none of them
 * is damaged. */
static void test_taken(void)
{
	static unsigned char much[TEST_LARGE];
	struct bytes value = {much, sizeof much};
	struct job_items out = {.n = 0};
	struct queue *q = NULL;
	CHECK(queue_create(&q, path) == 0);
	for (int i = 0; i <= RUNNERS_UP; i++) {
		memset(much, i, sizeof much);
		CHECK(queue_push(q, QUEUE_INPUT, &value, 1) == 0);
	}
	before_file = take_all_but_one;
	CHECK(queue_peek(q, QUEUE_INPUT, &out) == 1);
	CHECK(!before_file && out.bytes.bytes[out.item[0].at] == RUNNERS_UP);
	job_items_release(&out);
	queue_close(q);
	CHECK(queue_delete(path) == 0);
}

static void end_it(void)
{
	struct job *j = test_open("ended");
	CHECK(job_terminate(j) == 0);
	CHECK(job_close(j) == 0);
}

static void end_it_elsewhere(void)
{
	elsewhere(end_it);
}

/* Who claims nothing is no claimant. */
static void test_ended(void)
{
	struct job *j = test_create("ended", 4);
	committing = j->env;
	instead_of_commit = end_it_elsewhere;
	CHECK(job_commit(j, NULL, 0, 2) == 0);
	CHECK(!instead_of_commit && j->claimed.n == 0 && j->me == 0);
	CHECK(job_close(j) == 0);
}

int main(void)
{
	test_store();
	test_again();
	test_stopped();
	test_moved();
	test_taken();
	test_ended();
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
