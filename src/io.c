/*
 * Descriptors.
 *
 * An inherited descriptor is replaced, not closed: a library remembers the
 * number, and would later read, write or close whatever took it.
 */
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE on the socket instead */
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

static int set_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int io_pair(int fd[2])
{
	fd[0] = fd[1] = -1;
#ifdef SOCK_CLOEXEC
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -errno;
#else
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int rc = set_cloexec(fd[i]);
#ifdef SO_NOSIGPIPE
		int on = 1;
		if (rc == 0 && setsockopt(fd[i], SOL_SOCKET, SO_NOSIGPIPE, &on,
					  sizeof(on)) < 0)
			rc = -errno;
#endif
		if (rc < 0) {
			io_close(&fd[0]);
			io_close(&fd[1]);
			return rc;
		}
	}
#endif
	return 0;
}

size_t io_most(void)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return SIZE_MAX;
	return most.rlim_cur < SIZE_MAX ? (size_t)most.rlim_cur : SIZE_MAX;
}

void io_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about its failure */
	*fd = -1;
}

static ssize_t sent_or_error(ssize_t n)
{
	if (n >= 0)
		return n;
	if (errno == EWOULDBLOCK)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

ssize_t io_send(int fd, const void *bytes, size_t n)
{
	ssize_t k;
	do
		k = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (k < 0 && errno == EINTR);
	return sent_or_error(k);
}

ssize_t io_recv(int fd, void *bytes, size_t n)
{
	ssize_t k;
	do
		k = recv(fd, bytes, n, MSG_DONTWAIT);
	while (k < 0 && errno == EINTR);
	return k == 0 ? -EPIPE : sent_or_error(k);
}

ssize_t io_send_fd(int fd, const void *bytes, size_t n, int pass)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	memset(&control, 0, sizeof(control));
	struct iovec part = {.iov_base = (void *)(size_t)bytes, .iov_len = n};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pass, sizeof(int));
	ssize_t k;
	do
		k = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (k < 0 && errno == EINTR);
	return sent_or_error(k);
}

ssize_t io_recv_fd(int fd, void *bytes, size_t n, int *passed)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = bytes, .iov_len = n};
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};
	*passed = -1;
	ssize_t k;
	do
		k = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (k < 0 && errno == EINTR);
	if (k <= 0)
		return k == 0 ? -EPIPE : sent_or_error(k);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(passed, CMSG_DATA(c), sizeof(int));
		if (MSG_CMSG_CLOEXEC == 0)
			(void)set_cloexec(*passed);
	}
	if (m.msg_flags & MSG_CTRUNC) { /* there was no place for it */
		io_close(passed);
		*passed = -EMFILE;
	}
	return k;
}

int io_wait(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n = poll(&p, 1, ms);
	if (n < 0)
		return -errno;
	return n > 0;
}

/* The numbers of the open descriptors: fills `fds`, returns how many. */
static int open_descriptors(int **fds, size_t *n)
{
	*fds = NULL;
	*n = 0;
#ifdef __linux__
	DIR *d = opendir("/proc/self/fd");
#else
	DIR *d = opendir("/dev/fd");
#endif
	if (!d)
		return -errno;
	size_t cap = 0;
	int rc = 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		int fd = (int)strtol(e->d_name, NULL, 10);
		if (fd == dirfd(d))
			continue;
		if (*n == cap) {
			cap = cap ? cap * 2 : 64;
			int *more = realloc(*fds, cap * sizeof(int));
			if (!more) {
				rc = -ENOMEM;
				break;
			}
			*fds = more;
		}
		(*fds)[(*n)++] = fd;
	}
	(void)closedir(d);
	return rc;
}

int io_replace_inherited(int keep)
{
	int *fds;
	size_t n;
	int rc = open_descriptors(&fds, &n);
	int dead[2] = {-1, -1};
	if (rc == 0)
		rc = io_pair(dead);
	if (rc == 0) {
		io_close(&dead[1]);
		for (size_t i = 0; i < n && rc == 0; i++) {
			if (fds[i] <= 2 || fds[i] == keep || fds[i] == dead[0])
				continue;
			if (dup2(dead[0], fds[i]) >= 0)
				rc = set_cloexec(fds[i]);
			else if (errno == EBADF)     /* past a lowered limit: */
				(void)close(fds[i]); /* never given out again */
			else
				rc = -errno;
		}
	}
	io_close(&dead[0]);
	free(fds);
	return rc;
}

static int put_at(const char *path, int flags, int at)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Where `at` was closed it is what open() gave, and to be inherited. */
	if (fd == at)
		return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
	int rc = dup2(fd, at) < 0 ? -errno : 0;
	(void)close(fd);
	return rc;
}

int io_redirect(const char *path)
{
	int rc = put_at("/dev/null", O_RDONLY, 0);
	if (rc < 0 || !*path)
		return rc;
	rc = put_at(path, O_WRONLY | O_CREAT | O_APPEND, 1);
	if (rc < 0)
		return rc;
	return dup2(1, 2) < 0 ? -errno : 0;
}
