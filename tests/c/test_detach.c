/* A program that outlives us: whose child it is, what it has of ours, and what
 * becomes of one that cannot be started. The program is a shell. */
#include "detach.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io.h"
#include "test.h"

static char dir[] = "/tmp/pool-detach-XXXXXX";
static char log_path[64];

static pid_t run(const char *script, int fd)
{
	char shell[] = "/bin/sh", c[] = "-c";
	char text[1024];
	char var[] = "POOL_TEST=here", path[] = "PATH=/usr/bin:/bin";
	(void)snprintf(text, sizeof(text), "%s", script);
	char *const argv[] = {shell, c, text, NULL};
	char *const env[] = {var, path, NULL};
	return detach_start(argv, env, log_path, fd);
}

/* Everything that comes over a socket until it closes. */
static void hear(int fd, char *out, size_t room)
{
	size_t n = 0;
	for (;;) {
		ssize_t k = io_recv(fd, out + n, room - 1 - n);
		if (k == -EAGAIN) {
			CHECK(io_wait(fd, POLLIN, 10000) == 1);
			continue;
		}
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	out[n] = '\0';
}

static void read_log(char *out, size_t room)
{
	int fd = open(log_path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);
	CHECK(n >= 0);
	out[n] = '\0';
	(void)close(fd);
}

/* Its standard input is the socket, both ways; its pid is what we are told. */
static void test_talk(void)
{
	int end[2];
	char got[256], want[64];
	CHECK(io_pair(end) == 0);
	pid_t pid = run("read x; echo \"$$ $x $POOL_TEST\" >&0", end[1]);
	CHECK(pid > 0);
	io_close(&end[1]);
	CHECK(io_send(end[0], "hello\n", 6) == 6);
	CHECK(shutdown(end[0], SHUT_WR) == 0);
	hear(end[0], got, sizeof(got));
	(void)snprintf(want, sizeof(want), "%ld hello here\n", (long)pid);
	CHECK(strcmp(got, want) == 0);
	io_close(&end[0]);
	/* It is not ours to wait for, nor is anybody else. */
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
}

/* Whatever is open here, low numbers and high ones, it has none of. */
static void test_descriptors_are_closed(void)
{
	int end[2], extra[3];
	char got[1024];
	CHECK(io_pair(end) == 0);
	extra[0] = dup(end[0]);
	extra[1] = fcntl(end[0], F_DUPFD, 50);
	extra[2] = fcntl(end[0], F_DUPFD, 500);
	/* ls has one of its own, of the directory it reads. */
	CHECK(run("ls /proc/self/fd >&0", end[1]) > 0);
	io_close(&end[1]);
	hear(end[0], got, sizeof(got));
	CHECK(strcmp(got, "0\n1\n2\n3\n") == 0);
	for (int i = 0; i < 3; i++)
		(void)close(extra[i]);
	io_close(&end[0]);
}

/* Its standard input may be any number here, also those that it gets. */
static void test_low_numbers(void)
{
	for (int low = 0; low <= 3; low++) {
		pid_t child = fork();
		CHECK(child >= 0);
		if (child > 0) {
			test_wait_ok(child);
			continue;
		}
		int end[2];
		char got[64];
		CHECK(io_pair(end) == 0);
		int mine = fcntl(end[0], F_DUPFD, 20);
		io_close(&end[0]);
		CHECK(dup2(end[1], low) == low);
		if (end[1] != low)
			io_close(&end[1]);
		CHECK(run("echo talk >&0; echo out; echo err >&2", low) > 0);
		(void)close(low);
		hear(mine, got, sizeof(got));
		CHECK(strcmp(got, "talk\n") == 0);
		_exit(0);
	}
}

/* Session, process group, parent and terminal are not ours. */
static void test_session(void)
{
	int end[2];
	char got[256];
	long ppid, pgid, sid;
	CHECK(io_pair(end) == 0);
	CHECK(run("read a; set -- $(cut -d')' -f2 /proc/$$/stat);"
		  "echo $2 $3 $4 $5 >&0",
		  end[1]) > 0);
	io_close(&end[1]);
	test_sleep(0.05); /* those between us and it have left by then */
	CHECK(io_send(end[0], "go\n", 3) == 3);
	hear(end[0], got, sizeof(got));
	long tty;
	CHECK(sscanf(got, "%ld %ld %ld %ld", &ppid, &pgid, &sid, &tty) == 4);
	CHECK(ppid != getpid());
	CHECK(sid != getsid(0) && pgid != getpgid(0));
	CHECK(tty == 0);
	io_close(&end[0]);
}

/* Blocked, ignored and handled signals are none of these. */
static void test_signals(void)
{
	int end[2];
	char got[512];
	sigset_t set, before;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGTERM) == 0);
	CHECK(sigprocmask(SIG_BLOCK, &set, &before) == 0);
	CHECK(sigaction(SIGPIPE, &ignore, &old) == 0);
	CHECK(io_pair(end) == 0);
	CHECK(run("grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status >&0", end[1]) >
	      0);
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	CHECK(sigaction(SIGPIPE, &old, NULL) == 0);
	io_close(&end[1]);
	hear(end[0], got, sizeof(got));
	CHECK(strstr(got, "SigBlk:\t0000000000000000"));
	/* The C library has its own two ignored in what posix_spawn() starts,
	 * and lets nobody change that. */
	const char *ignored = strstr(got, "SigIgn:\t");
	CHECK(ignored &&
	      (strtoull(ignored + 8, NULL, 16) & ~(3ULL << 31)) == 0);
	io_close(&end[0]);
}

static void test_log(void)
{
	int end[2];
	char got[256];
	struct stat st;
	(void)unlink(log_path);
	CHECK(io_pair(end) == 0);
	CHECK(run("echo one; echo two >&2", end[1]) > 0);
	CHECK(run("echo three", end[1]) > 0);
	io_close(&end[1]);
	hear(end[0], got, sizeof(got)); /* until both have left */
	io_close(&end[0]);
	read_log(got, sizeof(got));
	CHECK(strstr(got, "one\n") && strstr(got, "two\n") &&
	      strstr(got, "three\n"));
	CHECK(stat(log_path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

static void test_failures(void)
{
	int end[2];
	char none[] = "/nonexistent/program";
	char *const argv[] = {none, NULL}, *const env[] = {NULL};
	int before = test_descriptors(getpid());
	CHECK(io_pair(end) == 0);
	CHECK(detach_start(argv, env, log_path, end[1]) == -ENOENT);
	CHECK(detach_start(argv, env, "/nonexistent/log", end[1]) == -ENOENT);
	CHECK(detach_start(argv, env, dir, end[1]) == -EISDIR);
	CHECK(detach_start(argv, env, log_path, -1) == -EBADF);
	io_close(&end[0]);
	io_close(&end[1]);
	CHECK(test_descriptors(getpid()) == before);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* Too few descriptors: that is told, and not that it was killed. */
static void test_no_descriptors(void)
{
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		int end[2];
		struct rlimit few = {10, 10};
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		CHECK(io_pair(end) == 0);
		pid_t pid = run("true", end[1]);
		CHECK(pid == -EINVAL || pid == -EMFILE);
		_exit(0);
	}
	test_wait_ok(child);
}

/* Who has started it is killed, with all of its group. */
static void test_survives(void)
{
	int end[2];
	char got[64];
	CHECK(io_pair(end) == 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		(void)setpgid(0, 0);
		CHECK(run("sleep 0.3; echo alive >&0", end[1]) > 0);
		(void)kill(0, SIGKILL);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	io_close(&end[1]);
	hear(end[0], got, sizeof(got));
	CHECK(strcmp(got, "alive\n") == 0);
	io_close(&end[0]);
}

int main(void)
{
	CHECK(mkdtemp(dir));
	(void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
	test_talk();
	test_descriptors_are_closed();
	test_low_numbers();
	test_session();
	test_signals();
	test_log();
	test_failures();
	test_no_descriptors();
	test_survives();
	(void)unlink(log_path);
	return rmdir(dir);
}
