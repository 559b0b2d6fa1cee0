/* Doorbells. */
#include "bell.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

static struct bell *hung; /* to be closed in a fork */

static void close_hung(void)
{
	if (hung)
		bell_close(hung);
}

/* Once in a process, and in its forks. */
static int close_in_forks(struct bell *b)
{
	static bool told;
	hung = b;
	int rc = told ? 0 : pthread_atfork(NULL, NULL, close_hung);
	told = told || rc == 0;
	return -rc;
}

static int make_word(unsigned char word[BELL_WORD])
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t k;
	do
		k = read(fd, word, BELL_WORD);
	while (k < 0 && errno == EINTR);
	int rc = k == BELL_WORD ? 0 : -EIO;
	io_close(&fd);
	return rc;
}

static int set_flags(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
#ifdef SO_NOSIGPIPE
	int on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) < 0)
		return -errno;
#endif
	return 0;
}

static int open_port(int fd, int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int rc = set_flags(fd);
	if (rc == 0 && (bind(fd, (const struct sockaddr *)&a, n) < 0 ||
			listen(fd, 8) < 0 ||
			getsockname(fd, (struct sockaddr *)&a, &n) < 0))
		rc = -errno;
	*port = ntohs(a.sin_port);
	return rc;
}

int bell_listen(struct bell *b, int *port)
{
	bell_close(b);
	int rc = close_in_forks(b);
	if (rc == 0)
		rc = make_word(b->word);
	if (rc == 0 && (b->at = socket(AF_INET, SOCK_STREAM, 0)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = open_port(b->at, port);
	if (rc < 0)
		bell_close(b);
	return rc;
}

/* Does whoever is at the other end know the word? */
static bool knows(const struct bell *b, int fd, uint64_t deadline)
{
	unsigned char said[BELL_WORD];
	size_t n = 0;
	int ms;
	while (n < BELL_WORD && (ms = clock_until(deadline, 1000)) > 0) {
		ssize_t k = io_recv(fd, said + n, BELL_WORD - n);
		if (k < 0 && k != -EAGAIN)
			return false;
		if (k > 0)
			n += (size_t)k;
		else
			(void)io_wait(fd, POLLIN, ms);
	}
	return n == BELL_WORD && memcmp(said, b->word, BELL_WORD) == 0;
}

int bell_accept(struct bell *b, int ms)
{
	uint64_t deadline = clock_now() + (uint64_t)ms * 1000000u;
	int left, rc = b->at < 0 ? -EBADF : -ETIMEDOUT;
	while (b->at >= 0 && (left = clock_until(deadline, 1000)) > 0) {
		int fd = accept(b->at, NULL, NULL);
		if (fd < 0) {
			(void)io_wait(b->at, POLLIN, left);
			continue;
		}
		if (set_flags(fd) == 0 && knows(b, fd, deadline)) {
			b->fd = fd;
			rc = 0;
			break;
		}
		io_close(&fd);
	}
	io_close(&b->at);
	if (rc < 0)
		bell_close(b);
	return rc;
}

void bell_ring(const struct bell *b)
{
	/* One that does not hear it is gone, or has been told before. */
	if (b->fd >= 0)
		(void)io_send(b->fd, "!", 1);
}

void bell_close(struct bell *b)
{
	io_close(&b->at);
	io_close(&b->fd);
	bell_forget(b);
}

void bell_forget(struct bell *b)
{
	b->at = b->fd = -1;
	if (hung == b)
		hung = NULL;
}
