/* A peer that says, word for word, what a test wants. */
#ifndef POOL_TEST_SERVER_H
#define POOL_TEST_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "test.h"

enum { TEXT = 8192 };

/* A process that answers each request with the next of `answers`, of which an
 * empty one is a closed connection, and writes what was asked to `asked`. The
 * connection is closed behind one that begins with "!". */
struct peer {
	pid_t pid;
	int port;
	int asked;
};

static inline size_t read_request(int fd, char *text)
{
	size_t n = 0;
	while (n + 1 < TEXT) {
		ssize_t got = recv(fd, text + n, TEXT - 1 - n, 0);
		if (got <= 0)
			return 0;
		n += (size_t)got;
		text[n] = '\0';
		const char *end = strstr(text, "\r\n\r\n");
		const char *length = strstr(text, "Content-Length: ");
		size_t body = length && length < end
				      ? (size_t)strtoul(length + 16, NULL, 10)
				      : 0;
		if (end && n >= (size_t)(end - text) + 4 + body)
			break;
	}
	return n;
}

static inline _Noreturn void serve(int listener, const char *const *answers,
				   int out)
{
	int fd = -1;
	for (; *answers; answers++) {
		char text[TEXT];
		size_t n = 0;
		while (n == 0) {
			if (fd < 0)
				fd = accept(listener, NULL, NULL);
			CHECK(fd >= 0);
			n = read_request(fd, text);
			if (n == 0) {
				(void)close(fd);
				fd = -1;
			}
		}
		CHECK(write(out, text, n + 1) > 0);
		bool last = **answers == '!' || !**answers;
		const char *text_of = *answers + (**answers == '!');
		if (*text_of)
			CHECK(send(fd, text_of, strlen(text_of), MSG_NOSIGNAL) >
			      0);
		if (last) {
			(void)close(fd);
			fd = -1;
		}
	}
	_exit(0);
}

static inline struct peer peer_start(const char *const *answers)
{
	struct peer p;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int ends[2];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0);
	CHECK(listen(fd, 16) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
	CHECK(pipe(ends) == 0);
	p.port = ntohs(at.sin_port);
	p.pid = fork();
	CHECK(p.pid >= 0);
	if (p.pid == 0) {
		(void)close(ends[0]);
		serve(fd, answers, ends[1]);
	}
	(void)close(fd);
	(void)close(ends[1]);
	p.asked = ends[0];
	return p;
}

/* All that was asked, one text behind the other. */
static inline size_t peer_end(struct peer *p, char *text)
{
	size_t n = 0;
	for (;;) {
		ssize_t got = read(p->asked, text + n, TEXT - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	(void)close(p->asked);
	test_wait_ok(p->pid);
	return n;
}

#endif
