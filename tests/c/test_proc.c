/*
 * Processes: signals held across a fork, who dies with whom, adopted orphans
 * and their burial. That a process is gone is seen by the end of a pipe of
 * which it held the other end: so also a zombie that nobody waits for counts as
 * gone.
 */
#include "proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "io.h"
#include "test.h"

/* Those who hold the pipe's writing end are all gone, within two seconds. */
static void check_gone(int pipe_end)
{
	char bytes[64];
	double limit = test_now() + 2;
	for (;;) {
		CHECK(io_wait(pipe_end, POLLIN, 2000) == 1);
		if (read(pipe_end, bytes, sizeof(bytes)) == 0)
			return;
		CHECK(test_now() < limit);
	}
}

static bool closed_now(int pipe_end)
{
	return io_wait(pipe_end, POLLIN, 0) == 1;
}

/* ---- forking ---- */

static void on_signal(int signal)
{
	(void)signal;
}

static const int all_reset[] = {SIGHUP,	 SIGTERM, SIGUSR1, SIGUSR2,
				SIGSEGV, SIGBUS,  SIGILL,  SIGCHLD};

static void forked(void)
{
	struct sigaction a = {.sa_handler = on_signal}, was, is;
	sigset_t before, mask, now;
	CHECK(sigaction(SIGINT, &a, NULL) == 0);
	for (size_t i = 0; i < sizeof(all_reset) / sizeof(int); i++)
		CHECK(sigaction(all_reset[i], &a, NULL) == 0);
	CHECK(sigemptyset(&before) == 0 && sigaddset(&before, SIGUSR2) == 0);
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	pid_t pid = proc_fork(&mask);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
		for (int s = 1; s < 32; s++)
			CHECK(s == SIGKILL || s == SIGSTOP ||
			      sigismember(&now, s) == 1);
		CHECK(getpgid(0) == getpid());
		for (size_t i = 0; i < sizeof(all_reset) / sizeof(int); i++) {
			CHECK(sigaction(all_reset[i], NULL, &is) == 0);
			CHECK(is.sa_handler == SIG_DFL);
		}
		CHECK(sigaction(SIGINT, NULL, &is) == 0);
		CHECK(is.sa_handler == on_signal); /* R's own is wanted */
		CHECK(proc_unblock(&mask) == 0);
		CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
		for (int s = 1; s < 32; s++)
			CHECK(sigismember(&now, s) == (s == SIGUSR2));
		_exit(0);
	}
	CHECK(getpgid(0) != pid);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	for (int s = 1; s < 32; s++)
		CHECK(sigismember(&now, s) == (s == SIGUSR2));
	CHECK(sigaction(SIGTERM, NULL, &was) == 0);
	CHECK(was.sa_handler == on_signal);
	test_wait_ok(pid);
	CHECK(sigdelset(&before, SIGUSR2) == 0);
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	a.sa_handler = SIG_DFL;
	CHECK(sigaction(SIGINT, &a, NULL) == 0);
	for (size_t i = 0; i < sizeof(all_reset) / sizeof(int); i++)
		CHECK(sigaction(all_reset[i], &a, NULL) == 0);
}

/* A signal that comes before the child is ready waits for it. */
static void signals_wait(void)
{
	int ready[2], go[2];
	char c = 0;
	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	sigset_t mask;
	pid_t pid = proc_fork(&mask);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1);
		CHECK(write(ready[1], &c, 1) == 1); /* still here */
		CHECK(proc_unblock(&mask) == 0);
		for (;;)
			pause();
	}
	int status;
	CHECK(read(ready[0], &c, 1) == 1 && kill(pid, SIGTERM) == 0);
	CHECK(write(go[1], &c, 1) == 1 && read(ready[0], &c, 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	for (int i = 0; i < 2; i++)
		CHECK(close(ready[i]) == 0 && close(go[i]) == 0);
}

static void at_exit(void)
{
	CHECK(write(2, "an exit handler ran\n", 20) == 20);
}

static void left(void)
{
	int out[2];
	CHECK(pipe(out) == 0);
	CHECK(atexit(at_exit) == 0);
	for (int status = 0; status < 3; status++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			FILE *f = fdopen(out[1], "w");
			CHECK(f && fputs("not flushed", f) >= 0);
			proc_leave(status);
		}
		int got;
		CHECK(waitpid(pid, &got, 0) == pid);
		CHECK(WIFEXITED(got) && WEXITSTATUS(got) == status);
	}
	char c;
	CHECK(close(out[1]) == 0 && read(out[0], &c, 1) == 0);
	CHECK(close(out[0]) == 0);
}

/* ---- who is gone ---- */

static void reaped(void)
{
	int go[2], status;
	char c;
	CHECK(pipe(go) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(close(go[1]) == 0 && read(go[0], &c, 1) == 0);
		_exit(7);
	}
	CHECK(proc_reap(pid, &status) == 0); /* still running */
	int watch = proc_watch(pid);
	CHECK(watch >= 0 && fcntl(watch, F_GETFD) == FD_CLOEXEC);
	CHECK(io_wait(watch, POLLIN, 30) == 0);
	CHECK(close(go[0]) == 0 && close(go[1]) == 0);
	CHECK(io_wait(watch, POLLIN, 5000) == 1);
	CHECK(proc_reap(pid, &status) == 1);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(proc_reap(pid, &status) == 1 && status == -1); /* once only */
	CHECK(close(watch) == 0);
	CHECK(proc_watch(pid) == -ESRCH);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid); /* by somebody else */
	CHECK(proc_reap(pid, &status) == 1 && status == -1);
}

static void children_watched(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0) {
		test_wait_ok(pid);
		return;
	}
	sigset_t before, now;
	int fd = proc_watch_children(&before);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(sigismember(&before, SIGCHLD) == 0);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGCHLD) == 1);
	proc_drain(fd); /* of nothing: does not wait */
	for (int round = 0; round < 2; round++) {
		CHECK(io_wait(fd, POLLIN, 0) == 0);
		pid_t child[5];
		for (int i = 0; i < 5; i++) {
			child[i] = fork();
			CHECK(child[i] >= 0);
			if (child[i] == 0)
				_exit(0);
		}
		CHECK(io_wait(fd, POLLIN, 5000) == 1);
		for (int i = 0; i < 5; i++)
			test_wait_ok(child[i]);
		proc_drain(fd);
	}
	_exit(0);
}

static void dies_with(void)
{
	int gone[2];
	CHECK(pipe(gone) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		pid_t parent = getpid();
		int ready[2];
		char c = 0;
		CHECK(pipe(ready) == 0);
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			CHECK(proc_die_with(parent + 1) == -ESRCH);
			CHECK(proc_die_with(parent) == 0);
			CHECK(write(ready[1], &c, 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(ready[0], &c, 1) == 1);
		CHECK(write(gone[1], &c, 1) == 1);
		for (;;)
			pause();
	}
	char c;
	CHECK(close(gone[1]) == 0 && read(gone[0], &c, 1) == 1);
	CHECK(!closed_now(gone[0]));
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	check_gone(gone[0]);
	CHECK(close(gone[0]) == 0);
}

/* ---- burial ---- */

enum { LIFE = 20 }; /* seconds, should a test fail */

/* Survives what it can, and says that it is there. */
static _Noreturn void stubborn(int say)
{
	for (int s = 1; s < 32; s++)
		(void)signal(s, SIG_IGN);
	CHECK(write(say, "x", 1) == 1);
	test_sleep(LIFE);
	_exit(0);
}

/* A process whose children leave its session, its group, and itself. */
static _Noreturn void family(int say)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			CHECK(setsid() >= 0);
			if (i == 1) /* a daemon: falls to whoever adopts */
				for (int k = 0; k < 2; k++) {
					pid = fork();
					CHECK(pid >= 0);
					if (pid > 0)
						_exit(0);
				}
			stubborn(say);
		}
	}
	stubborn(say);
}

/* Every process forks the next one and leaves. */
static _Noreturn void runaway(int say)
{
	CHECK(setsid() >= 0);
	CHECK(write(say, "x", 1) == 1);
	double end = test_now() + LIFE;
	while (test_now() < end) {
		pid_t pid = fork();
		if (pid != 0)
			_exit(0);
		test_sleep(0.0005);
	}
	_exit(0);
}

static void buried(void)
{
	enum { FAMILIES = 5, RUNAWAYS = 3, ALL = FAMILIES * 4 + RUNAWAYS };
	int gone[2], done[2];
	CHECK(pipe(gone) == 0 && pipe(done) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(close(done[0]) == 0);
		CHECK(proc_adopt_orphans() == 0);
		for (int i = 0; i < FAMILIES + RUNAWAYS; i++) {
			pid_t child = fork();
			CHECK(child >= 0);
			if (child > 0)
				continue;
			CHECK(close(done[1]) == 0);
			if (i < FAMILIES)
				family(gone[1]);
			runaway(gone[1]);
		}
		char c;
		for (int i = 0; i < ALL; i++)
			CHECK(read(gone[0], &c, 1) == 1);
		test_sleep(0.02); /* for the daemons' middle generations */
		CHECK(close(gone[1]) == 0);
		CHECK(!closed_now(gone[0]));
		proc_bury_all();
		CHECK(closed_now(gone[0])); /* when it is over, they are gone */
		CHECK(read(gone[0], &c, 1) == 0);
		CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
		CHECK(write(done[1], "x", 1) == 1);
		_exit(0);
	}
	CHECK(close(done[1]) == 0 && close(gone[1]) == 0);
	char c;
	CHECK(io_wait(done[0], POLLIN, 5000) == 1 && read(done[0], &c, 1) == 1);
	test_wait_ok(pid);
	CHECK(close(done[0]) == 0 && close(gone[0]) == 0);
}

static void nobody_to_bury(void)
{
	double t = test_now();
	proc_bury_all();
	CHECK(test_now() - t < 1);
}

/* ---- a program ---- */

static void check_text(int fd, const char *text)
{
	char bytes[200];
	size_t n = 0;
	ssize_t k;
	while ((k = read(fd, bytes + n, sizeof(bytes) - n)) > 0)
		n += (size_t)k;
	CHECK(n == strlen(text) && memcmp(bytes, text, n) == 0);
}

static void executed(void)
{
	char out[] = "/tmp/test_procXXXXXX";
	int file = mkstemp(out);
	CHECK(file >= 0);
	char *env[] = {"ONLY=this", NULL};
	char *argv[] = {"/bin/sh", "-c",
			/* 3 is a pipe, nothing above it is open */
			"echo $ONLY; env | grep -c HOME=; echo passed >&3; "
			"i=0; while [ $i -lt 100 ]; do "
			"[ -e /proc/self/fd/$i ] && printf '%s ' $i; "
			"i=$((i + 1)); done; read x || echo eof; "
			"grep -c '^SigBlk:[[:space:]]*0*$' /proc/self/status; "
			"echo err >&2; exit 5",
			NULL};
	CHECK(setenv("HOME", "/", 1) == 0);
	for (int way = 0; way < 2; way++) {
		int p[2];
		CHECK(pipe(p) == 0);
		int pass = p[1], spare = -1;
		if (way == 1) { /* the very number */
			spare = fcntl(PROC_PASSED, F_DUPFD_CLOEXEC, 50);
			pass = dup3(p[1], PROC_PASSED, O_CLOEXEC);
			CHECK(pass == PROC_PASSED);
			CHECK(p[0] != pass);
		}
		pid_t pid = proc_exec(argv, env, pass, out);
		CHECK(pid > 0);
		int status;
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
		if (way == 1 && spare >= 0) {
			CHECK(dup2(spare, PROC_PASSED) == PROC_PASSED);
			CHECK(close(spare) == 0);
		} else if (way == 1) {
			CHECK(close(PROC_PASSED) == 0);
		}
		if (fcntl(p[1], F_GETFD) >= 0)
			CHECK(close(p[1]) == 0);
		check_text(p[0], "passed\n");
		CHECK(close(p[0]) == 0);
		check_text(file, "this\n0\n0 1 2 3 eof\n1\nerr\n");
	}
	char *none[] = {"/nonexistent", NULL};
	int status;
	pid_t pid = proc_exec(none, env, 0, "");
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 127);
	pid = proc_exec(argv, env, 0, "/nonexistent/file");
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 126);
	CHECK(close(file) == 0 && unlink(out) == 0);
}

static void one_thread(void)
{
	CHECK(setenv("OMP_NUM_THREADS", "8", 1) == 0);
	CHECK(unsetenv("OPENBLAS_NUM_THREADS") == 0);
	proc_one_thread();
	CHECK(strcmp(getenv("OMP_NUM_THREADS"), "1") == 0);
	CHECK(strcmp(getenv("OPENBLAS_NUM_THREADS"), "1") == 0);
}

int main(void)
{
	int before = test_descriptors(getpid());
	forked();
	signals_wait();
	left();
	reaped();
	children_watched();
	dies_with();
	buried();
	nobody_to_bury();
	executed();
	one_thread();
	CHECK(test_descriptors(getpid()) == before);
	_exit(0); /* left() has set up a handler that must not run */
}
