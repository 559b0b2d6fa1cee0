/* Sockets that never block or raise SIGPIPE, waiting, and what becomes of the
 * descriptors a child inherits. */
#include "io.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "test.h"

static char dir[] = "/tmp/test_ioXXXXXX";
static char file[64];

static void pairs(void)
{
	int end[2];
	char bytes[8];
	CHECK(io_pair(end) == 0);
	CHECK(fcntl(end[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(end[1], F_GETFD) == FD_CLOEXEC);
	CHECK(io_recv(end[0], bytes, 8) == -EAGAIN);
	CHECK(io_send(end[1], "abc", 3) == 3);
	CHECK(io_recv(end[0], bytes, 8) == 3 && memcmp(bytes, "abc", 3) == 0);
	/* Sent without waiting, as much as there is room for. */
	static char much[1 << 22];
	ssize_t n = io_send(end[0], much, sizeof(much));
	CHECK(n > 0 && n < (ssize_t)sizeof(much));
	CHECK(io_send(end[0], much, sizeof(much)) == -EAGAIN);
	CHECK(io_send_fd(end[0], much, 1, 0) == -EAGAIN);
	/* What was sent before the end can still be read. */
	CHECK(io_send(end[1], "last", 4) == 4);
	int fd = end[1];
	io_close(&end[1]);
	CHECK(end[1] == -1 && fcntl(fd, F_GETFD) < 0);
	io_close(&end[1]); /* once more is harmless */
	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	CHECK(io_send(end[0], "x", 1) == -EPIPE);
	CHECK(io_send_fd(end[0], "x", 1, 0) == -EPIPE);
	io_close(&end[0]);
	CHECK(io_pair(end) == 0);
	CHECK(io_send(end[1], "last", 4) == 4);
	io_close(&end[1]);
	CHECK(io_recv(end[0], bytes, 8) == 4);
	CHECK(io_recv(end[0], bytes, 8) == -EPIPE);
	int passed;
	CHECK(io_recv_fd(end[0], bytes, 8, &passed) == -EPIPE && passed == -1);
	io_close(&end[0]);
	CHECK(io_send(-1, "x", 1) == -EBADF);
}

static void passing(void)
{
	int end[2], p[2], passed;
	char bytes[8];
	CHECK(io_pair(end) == 0 && pipe(p) == 0);
	CHECK(io_send(end[0], "abc", 3) == 3);
	CHECK(io_recv_fd(end[1], bytes, 8, &passed) == 3 && passed == -1);
	CHECK(io_send_fd(end[0], "abc", 3, p[1]) == 3);
	CHECK(close(p[1]) == 0);
	CHECK(io_recv_fd(end[1], bytes, 8, &passed) == 3 && passed >= 0);
	CHECK(fcntl(passed, F_GETFD) == FD_CLOEXEC);
	CHECK(write(passed, "through", 7) == 7);
	CHECK(read(p[0], bytes, 8) == 7);
	io_close(&passed);
	CHECK(read(p[0], bytes, 8) == 0);
	CHECK(close(p[0]) == 0);
	CHECK(io_send_fd(end[0], "x", 1, -1) == -EBADF);
	io_close(&end[0]);
	io_close(&end[1]);
}

static void waiting(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	CHECK(io_wait(end[0], POLLIN, 0) == 0);
	double t = test_now();
	CHECK(io_wait(end[0], POLLIN, 30) == 0);
	CHECK(test_now() - t > 0.025);
	CHECK(io_wait(end[0], POLLOUT, -1) == 1);
	test_alarm(20);
	CHECK(io_wait(end[0], POLLIN, 10000) == -EINTR);
	CHECK(io_send(end[1], "x", 1) == 1);
	CHECK(io_wait(end[0], POLLIN, -1) == 1);
	char c;
	CHECK(io_recv(end[0], &c, 1) == 1);
	io_close(&end[1]);
	CHECK(io_wait(end[0], POLLIN, -1) == 1); /* hung up */
	io_close(&end[0]);
}

/* ---- inherited descriptors ---- */

/* In the child: dead, but taken. */
static void check_dead(int fd)
{
	char c = 'x';
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(send(fd, &c, 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK(read(fd, &c, 1) == 0);
	struct stat s;
	CHECK(fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode));
}

static size_t size_of(const char *path)
{
	struct stat s;
	CHECK(stat(path, &s) == 0);
	return (size_t)s.st_size;
}

static void replaced(void)
{
	enum { MANY = 150 };
	int end[2], keep[2], p[2], many[MANY];
	int out = open(file, O_WRONLY | O_CREAT, 0600);
	CHECK(out >= 0 && write(out, "kept", 4) == 4);
	CHECK(io_pair(end) == 0 && io_pair(keep) == 0 && pipe(p) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK((many[i] = open(dir, O_RDONLY)) >= 0);
	int far = fcntl(out, F_DUPFD, 700);
	CHECK(far >= 700);
	int open_before = test_descriptors(getpid());
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct stat was[3], is;
		for (int fd = 0; fd < 3; fd++)
			CHECK(fstat(fd, &was[fd]) == 0);
		CHECK(io_replace_inherited(keep[1]) == 0);
		const int dead[] = {out,     far,  end[0], end[1],
				    keep[0], p[0], p[1]};
		for (size_t i = 0; i < sizeof(dead) / sizeof(*dead); i++)
			check_dead(dead[i]);
		for (int i = 0; i < MANY; i++)
			check_dead(many[i]);
		for (int fd = 0; fd < 3; fd++)
			CHECK(fstat(fd, &is) == 0 &&
			      is.st_ino == was[fd].st_ino &&
			      is.st_dev == was[fd].st_dev);
		CHECK(test_descriptors(getpid()) == open_before);
		int fresh = open("/dev/null", O_RDONLY);
		CHECK(fresh > many[MANY - 1]);
		CHECK(io_send(keep[1], "alive", 5) == 5);
		while (io_wait(keep[1], POLLIN, -1) != 1)
			;
		_exit(0);
	}
	char bytes[8];
	while (io_wait(keep[0], POLLIN, -1) != 1)
		;
	CHECK(io_recv(keep[0], bytes, 8) == 5);
	/* The child has no copy: each end is seen while it lives. */
	io_close(&end[1]);
	CHECK(io_recv(end[0], bytes, 8) == -EPIPE);
	CHECK(close(p[1]) == 0 && read(p[0], bytes, 8) == 0);
	io_close(&keep[1]);
	CHECK(io_recv(keep[0], bytes, 8) == -EAGAIN); /* but of this one */
	io_close(&keep[0]);
	test_wait_ok(pid);
	CHECK(size_of(file) == 4);
	io_close(&end[0]);
	CHECK(close(p[0]) == 0 && close(out) == 0 && close(far) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(close(many[i]) == 0);
}

/* ---- standard input and output ---- */

static void check_file(const char *content)
{
	char bytes[100];
	FILE *f = fopen(file, "r");
	CHECK(f);
	size_t n = fread(bytes, 1, sizeof(bytes), f);
	CHECK(n == strlen(content) && memcmp(bytes, content, n) == 0);
	CHECK(fclose(f) == 0);
}

static void redirected(void)
{
	CHECK(unlink(file) == 0);
	for (int way = 0; way < 3; way++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid > 0) {
			test_wait_ok(pid);
			continue;
		}
		if (way == 2) /* none is there */
			CHECK(close(0) == 0 && close(1) == 0 && close(2) == 0);
		CHECK(io_redirect(file) == 0);
		char c;
		CHECK(read(0, &c, 1) == 0);
		CHECK(write(1, "out", 3) == 3 && write(2, "err", 3) == 3);
		for (int fd = 0; fd < 3; fd++) /* for what is started */
			CHECK(fcntl(fd, F_GETFD) == 0);
		_exit(0);
	}
	check_file("outerrouterrouterr");
	struct stat s;
	CHECK(stat(file, &s) == 0 && (s.st_mode & 0777) == 0600);
}

static void not_redirected(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct stat was[3], is;
		for (int fd = 1; fd < 3; fd++)
			CHECK(fstat(fd, &was[fd]) == 0);
		CHECK(io_redirect("") == 0);
		CHECK(io_redirect("/nonexistent/file") == -ENOENT);
		CHECK(io_redirect(dir) == -EISDIR);
		for (int fd = 1; fd < 3; fd++)
			CHECK(fstat(fd, &is) == 0 &&
			      is.st_ino == was[fd].st_ino);
		char c;
		CHECK(read(0, &c, 1) == 0);
		_exit(0);
	}
	test_wait_ok(pid);
}

int main(void)
{
	int before = test_descriptors(getpid());
	CHECK(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	pairs();
	passing();
	waiting();
	replaced();
	redirected();
	not_redirected();
	CHECK(unlink(file) == 0 && rmdir(dir) == 0);
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
