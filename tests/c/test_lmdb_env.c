/* LMDB environments: shared in a process, apart from a fork, growing. */
#include "lmdb_env.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static const char *const names[] = {"one", "two"};
static const struct lmdb_plan plan = {.tables = names, .n = 2};

enum { PIECE = 60000 };

static struct lmdb_env *open_env(bool create)
{
	struct lmdb_env *e = NULL;
	struct lmdb_plan p = plan;
	p.create = create;
	CHECK(lmdb_env_open(&e, base, &p) == 0);
	return e;
}

struct put {
	struct lmdb_env *env;
	size_t from, n;
	int runs, rc;
};

static int put(MDB_txn *txn, void *arg)
{
	struct put *p = arg;
	static unsigned char piece[PIECE];
	p->runs++;
	for (size_t i = p->from; i < p->from + p->n; i++) {
		uint32_t number = (uint32_t)i;
		MDB_val key = {sizeof number, &number}, value = {PIECE, piece};
		memset(piece, (int)i, PIECE);
		int rc = lmdb_errno(mdb_put(txn, lmdb_env_table(p->env, 0),
					    &key, &value, 0));
		if (rc < 0)
			return rc;
	}
	return p->rc;
}

static int get(MDB_txn *txn, void *arg)
{
	const struct put *p = arg;
	for (size_t i = p->from; i < p->from + p->n; i++) {
		uint32_t number = (uint32_t)i;
		MDB_val key = {sizeof number, &number}, value;
		int rc = lmdb_errno(
			mdb_get(txn, lmdb_env_table(p->env, 0), &key, &value));
		if (rc < 0)
			return rc;
		CHECK(value.mv_size == PIECE);
		CHECK(((unsigned char *)value.mv_data)[7] == (i & 0xff));
	}
	return p->rc;
}

static void test_shared(void)
{
	int before = test_descriptors(getpid());
	struct lmdb_env *a = open_env(true), *b = open_env(false);
	CHECK(a == b);
	struct put p = {a, 0, 3, 0, 42};
	CHECK(lmdb_env_write(a, put, &p) == 42 && p.runs == 1);
	CHECK(lmdb_env_read(b, get, &p) == 42);
	p.from = 3;
	p.rc = -EDOM; /* then it did not take place */
	CHECK(lmdb_env_write(a, put, &p) == -EDOM);
	p.rc = 0;
	CHECK(lmdb_env_read(b, get, &p) == -ENOENT);
	lmdb_env_close(a);
	CHECK(lmdb_env_is_usable(b));
	p.from = 0;
	CHECK(lmdb_env_read(b, get, &p) == 0);
	lmdb_env_close(b);
	CHECK(test_descriptors(getpid()) == before);
	struct lmdb_env *none = NULL;
	struct lmdb_plan create = plan;
	create.create = true;
	CHECK(lmdb_env_open(&none, base, &create) == -EEXIST && !none);
}

/* A transaction within one would wait for itself. */
static int within(MDB_txn *txn, void *arg)
{
	struct put *p = arg;
	(void)txn;
	p->n = 0;
	return lmdb_env_write(p->env, put, p) == -EBUSY ? 0 : -EINVAL;
}

static void test_within(void)
{
	struct lmdb_env *e = open_env(false);
	struct put p = {.env = e};
	CHECK(lmdb_env_write(e, within, &p) == 0);
	CHECK(lmdb_env_read(e, within, &p) == 0);
	lmdb_env_close(e);
}

static void test_fork(void)
{
	struct lmdb_env *e = open_env(false);
	struct put p = {e, 0, 3, 0, 0};
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(!lmdb_env_is_ours(e) && !lmdb_env_is_usable(e));
		CHECK(lmdb_env_read(e, get, &p) == -ECHILD);
		CHECK(lmdb_env_write(e, put, &p) == -ECHILD && p.runs == 0);
		struct lmdb_env *own = open_env(false);
		CHECK(own != e);
		p.env = own;
		CHECK(lmdb_env_read(own, get, &p) == 0);
		lmdb_env_close(e); /* the parent's: nothing */
		CHECK(lmdb_env_read(own, get, &p) == 0);
		lmdb_env_close(own);
		_exit(0);
	}
	test_wait_ok(pid);
	CHECK(lmdb_env_read(e, get, &p) == 0);
	lmdb_env_close(e);
}

/* More than there is room for, here and in another process. */
static void test_grows(void)
{
	enum { MANY = 700 };
	struct lmdb_env *e = open_env(false);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct lmdb_env *own = open_env(false);
		struct put p = {own, 0, MANY, 0, 0};
		CHECK(lmdb_env_write(own, put, &p) == 0);
		CHECK(p.runs > 1);
		lmdb_env_close(own);
		_exit(0);
	}
	test_wait_ok(pid);
	struct put p = {e, 0, MANY, 0, 0};
	CHECK(lmdb_env_read(e, get, &p) == 0);
	p.from = MANY;
	p.n = 2 * MANY;
	CHECK(lmdb_env_write(e, put, &p) == 0);
	CHECK(lmdb_env_read(e, get, &p) == 0);
	lmdb_env_close(e);
}

/* Signals wait for the end of a write, so that no handler jumps out of it. */
static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

static int raise_some(MDB_txn *txn, void *arg)
{
	(void)txn;
	(void)arg;
	CHECK(raise(SIGUSR1) == 0 && raise(SIGINT) == 0);
	CHECK(raise(SIGTSTP) == 0); /* nor does a stop leave others waiting */
	return signals == 0 ? 0 : -EINVAL;
}

static void test_signals(void)
{
	static const int all[] = {SIGUSR1, SIGINT, SIGTSTP};
	struct sigaction action = {.sa_handler = on_signal}, old[3];
	struct lmdb_env *e = open_env(false);
	for (size_t i = 0; i < 3; i++)
		CHECK(sigaction(all[i], &action, &old[i]) == 0);
	CHECK(lmdb_env_write(e, raise_some, NULL) == 0);
	CHECK(signals == 3);
	for (size_t i = 0; i < 3; i++)
		CHECK(sigaction(all[i], &old[i], NULL) == 0);
	lmdb_env_close(e);
}

/* A file that cannot grow: an error, not the end of the process, and what is
 * there goes on. */
static void test_full(void)
{
	struct stat st;
	char path[TMPDIR_MAX + 20];
	struct rlimit old;
	(void)snprintf(path, sizeof path, "%s/data.mdb", base);
	CHECK(stat(path, &st) == 0 && getrlimit(RLIMIT_FSIZE, &old) == 0);
	struct rlimit now = {(rlim_t)st.st_size + 100000, old.rlim_max};
	struct lmdb_env *e = open_env(false);
	struct put p = {e, 5000, 200, 0, 0};
	CHECK(setrlimit(RLIMIT_FSIZE, &now) == 0);
	int rc = lmdb_env_write(e, put, &p);
	CHECK(rc == -EFBIG || rc == -ENOSPC);
	p.n = 1;
	CHECK(lmdb_env_read(e, get, &p) == -ENOENT);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	p.n = 200;
	CHECK(lmdb_env_write(e, put, &p) == 0);
	CHECK(lmdb_env_read(e, get, &p) == 0);
	lmdb_env_close(e);
}

/* A process that died while it read: its pages are used again. */
static int read_and_die(MDB_txn *txn, void *arg)
{
	(void)txn;
	(void)arg;
	return -raise(SIGKILL);
}

static void test_dead_reader(void)
{
	int status;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct lmdb_env *e = open_env(false);
		(void)lmdb_env_read(e, read_and_die, NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	struct lmdb_env *e = open_env(false);
	struct stat before, after;
	char path[TMPDIR_MAX + 20];
	(void)snprintf(path, sizeof path, "%s/data.mdb", base);
	CHECK(stat(path, &before) == 0);
	for (int i = 0; i < 300; i++) {
		struct put p = {e, 0, 20, 0, 0};
		CHECK(lmdb_env_write(e, put, &p) == 0);
	}
	CHECK(stat(path, &after) == 0);
	CHECK(after.st_size - before.st_size < 100 * PIECE);
	lmdb_env_close(e);
}

/* What is no such directory. */
static void test_others(void)
{
	char other[TMPDIR_MAX], file[TMPDIR_MAX + 20];
	struct lmdb_env *e = NULL;
	CHECK(tmpdir_make("/tmp", other) == 0);
	(void)snprintf(file, sizeof file, "%s/data.mdb", other);
	CHECK(lmdb_env_open(&e, "/no/such/place", &plan) == -ENOENT);
	CHECK(lmdb_env_open(&e, "/etc/passwd", &plan) == -EPROTO);
	CHECK(lmdb_env_open(&e, other, &plan) == -EPROTO);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	CHECK(lmdb_env_open(&e, other, &plan) == -EPROTO); /* empty */
	CHECK(write(fd, "x", 1) == 1);
	CHECK(lmdb_env_open(&e, other, &plan) < 0);
	unsigned char text[20000];
	memset(text, 'x', sizeof text);
	CHECK(write(fd, text, sizeof text) == (ssize_t)sizeof text);
	CHECK(lmdb_env_open(&e, other, &plan) == -EPROTO);
	/* Another version of LMDB's format. */
	char from[TMPDIR_MAX + 20];
	(void)snprintf(from, sizeof from, "%s/data.mdb", base);
	int in = open(from, O_RDONLY);
	CHECK(in >= 0 && read(in, text, sizeof text) == (ssize_t)sizeof text);
	CHECK(close(in) == 0);
	text[20] = text[4096 + 20] = 2;
	CHECK(pwrite(fd, text, sizeof text, 0) == (ssize_t)sizeof text);
	CHECK(lmdb_env_open(&e, other, &plan) == -EPROTONOSUPPORT);
	/* One of other tables. */
	static const char *const tables[] = {"three"};
	struct lmdb_plan p = {.tables = tables, .n = 1};
	CHECK(lmdb_env_open(&e, base, &p) == -EPROTO);
	/* Another user's. */
	if (geteuid() == 0) {
		CHECK(fchown(fd, 12345, 12345) == 0);
		CHECK(lmdb_env_open(&e, other, &plan) == -EPERM);
		/* Whose directory it is may change what is in it. */
		CHECK(chown(base, 12345, 12345) == 0);
		CHECK(lmdb_env_open(&e, base, &plan) == -EPERM);
		CHECK(chown(base, 0, 0) == 0);
	}
	CHECK(close(fd) == 0);
	CHECK(!e);
	CHECK(tmpdir_remove(other) == 0);
}

static void test_gone(void)
{
	struct lmdb_env *e = open_env(false);
	struct put p = {e, 0, 1, 0, 0};
	CHECK(tmpdir_remove(base) == 0);
	CHECK(!lmdb_env_is_usable(e));
	CHECK(lmdb_env_read(e, get, &p) == -ENOENT);
	CHECK(lmdb_env_write(e, put, &p) == -ENOENT && p.runs == 0);
	lmdb_env_close(e);
}

int main(void)
{
	CHECK(tmpdir_make("/tmp", base) == 0);
	int before = test_descriptors(getpid());
	test_shared();
	test_within();
	test_fork();
	test_grows();
	test_signals();
	test_full();
	test_dead_reader();
	test_others();
	CHECK(test_descriptors(getpid()) == before);
	test_gone();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
