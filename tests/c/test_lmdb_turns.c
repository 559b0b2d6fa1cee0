/*
 * Who waits for its turn to write, or to begin to read, and is killed, takes
 * nobody else's wake-up along: the others come to their end. (LMDB's own locks,
 * robust mutexes, lose it where somebody else has taken the lock meanwhile.)
 * And who waits for somebody that was stopped can be interrupted.
 */
#include "lmdb_env.h"

#include <sys/prctl.h>

#include "test.h"
#include "tmpdir.h"

enum { ROUNDS = 100, PROCESSES = 6, KILLED = 3, WRITES = 12, SECONDS = 20 };

static char base[TMPDIR_MAX];
static const char *const names[] = {"one"};
static const struct lmdb_plan plan = {.tables = names, .n = 1};

static int count(MDB_txn *txn, void *arg)
{
	struct lmdb_env *e = arg;
	MDB_val key = {1, "n"}, value;
	uint64_t n = 0;
	int rc = lmdb_errno(mdb_get(txn, lmdb_env_table(e, 0), &key, &value));
	if (rc == 0)
		memcpy(&n, value.mv_data, sizeof n);
	n++;
	value = (MDB_val){sizeof n, &n};
	return lmdb_errno(mdb_put(txn, lmdb_env_table(e, 0), &key, &value, 0));
}

static int look(MDB_txn *txn, void *arg)
{
	(void)txn;
	(void)arg;
	return 0;
}

static pid_t start(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct lmdb_env *e = NULL;
	CHECK(lmdb_env_open(&e, base, &plan) == 0);
	for (int i = 0; i < WRITES; i++) {
		CHECK(lmdb_env_write(e, count, e) == 0);
		CHECK(lmdb_env_read(e, look, NULL) == 0);
	}
	lmdb_env_close(e);
	_exit(0);
}

static void test_kills(void)
{
	pid_t pid[PROCESSES];
	int status;
	for (int round = 0; round < ROUNDS; round++) {
		(void)alarm(SECONDS);
		for (int i = 0; i < PROCESSES; i++)
			pid[i] = start();
		test_sleep((double)test_below(20000) * 1e-6);
		for (int i = 0; i < KILLED; i++) {
			test_sleep((double)test_below(1500) * 1e-6);
			CHECK(kill(pid[i], SIGKILL) == 0);
		}
		for (int i = 0; i < PROCESSES; i++) {
			CHECK(waitpid(pid[i], &status, 0) == pid[i]);
			CHECK(i < KILLED ||
			      (WIFEXITED(status) && WEXITSTATUS(status) == 0));
		}
	}
	(void)alarm(0);
}

/* -- stopped in the middle of a write -- */

static int ready[2];

static int stop(MDB_txn *txn, void *arg)
{
	(void)txn;
	(void)arg;
	CHECK(write(ready[1], "1", 1) == 1);
	return -raise(SIGSTOP);
}

static void test_stopped(void)
{
	char byte;
	struct lmdb_env *e = NULL;
	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK(lmdb_env_open(&e, base, &plan) == 0);
		CHECK(lmdb_env_write(e, stop, NULL) == 0);
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(lmdb_env_open(&e, base, &plan) == 0);
	/* As R handles it. */
	struct sigaction action = {.sa_handler = test_on_alarm,
				   .sa_flags = SA_RESTART},
			 after;
	CHECK(sigaction(SIGINT, &action, NULL) == 0);
	pid_t self = getpid(), other = fork();
	CHECK(other >= 0);
	if (other == 0) {
		test_sleep(0.1);
		CHECK(kill(self, SIGINT) == 0);
		_exit(0);
	}
	CHECK(lmdb_env_write(e, count, e) == -EINTR);
	CHECK(sigaction(SIGINT, NULL, &after) == 0);
	CHECK(after.sa_handler == test_on_alarm &&
	      (after.sa_flags & SA_RESTART));
	CHECK(lmdb_env_read(e, look, NULL) == 0); /* readers need not wait */
	test_wait_ok(other);
	/* Who waits for long is told for whom. */
	lmdb_run_patience(1);
	CHECK(lmdb_env_write(e, count, e) == -ETIMEDOUT);
	CHECK(lmdb_run_holder() == pid);
	lmdb_run_patience(0);
	/* Not by a signal that the caller has blocked. */
	sigset_t set, old;
	CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGINT) == 0);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	other = fork();
	CHECK(other >= 0);
	if (other == 0) {
		test_sleep(0.1);
		CHECK(kill(self, SIGINT) == 0);
		test_sleep(0.1);
		CHECK(kill(pid, SIGCONT) == 0);
		_exit(0);
	}
	CHECK(lmdb_env_write(e, count, e) == 0);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	test_wait_ok(other);
	test_wait_ok(pid);
	CHECK(lmdb_env_write(e, count, e) == 0);
	lmdb_env_close(e);
	CHECK(close(ready[0]) == 0 && close(ready[1]) == 0);
}

int main(void)
{
	struct lmdb_env *e = NULL;
	struct lmdb_plan create = plan;
	create.create = true;
	CHECK(tmpdir_make("/tmp", base) == 0);
	CHECK(lmdb_env_open(&e, base, &create) == 0);
	lmdb_env_close(e);
	test_kills();
	test_stopped();
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
