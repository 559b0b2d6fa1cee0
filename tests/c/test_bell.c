/* A doorbell: who may hang on to it, how it rings, and how its end shows. */
#include "bell.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "test.h"

static int visit(int port, const unsigned char *word, size_t n)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	CHECK(connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(send(fd, word, n, MSG_NOSIGNAL) == (ssize_t)n);
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, ms) == 1;
}

static void test_rings(void)
{
	struct bell b = BELL_NONE;
	int port = 0;
	char c = 0;
	bell_ring(&b); /* nobody is there */
	CHECK(bell_listen(&b, &port) == 0 && port > 0);
	bell_ring(&b);
	int fd = visit(port, b.word, BELL_WORD);
	CHECK(bell_accept(&b, 5000) == 0);
	CHECK(b.at == -1);
	CHECK(!readable(fd, 0));
	bell_ring(&b);
	bell_ring(&b);
	for (int i = 0; i < 2; i++)
		CHECK(readable(fd, 5000) && recv(fd, &c, 1, 0) == 1);
	CHECK(!readable(fd, 0));
	(void)close(fd);
	bell_ring(&b);
	bell_ring(&b); /* no SIGPIPE */
	bell_close(&b);
}

/* Others may come, and are sent away: those that say something else, less, or
 * nothing at all until they leave. */
static void test_strangers(void)
{
	struct bell b = BELL_NONE;
	int port = 0;
	CHECK(bell_listen(&b, &port) == 0);
	unsigned char wrong[BELL_WORD];
	memcpy(wrong, b.word, BELL_WORD);
	wrong[3] ^= 1;
	int other = visit(port, wrong, BELL_WORD);
	(void)close(visit(port, b.word, 5));
	int fd = visit(port, b.word, BELL_WORD);
	CHECK(bell_accept(&b, 5000) == 0);
	bell_ring(&b);
	char c = 0;
	CHECK(readable(fd, 5000) && recv(fd, &c, 1, 0) == 1);
	CHECK(readable(other, 5000) && recv(other, &c, 1, 0) <= 0);
	(void)close(other);
	(void)close(fd);
	bell_close(&b);
	CHECK(bell_accept(&b, 100) == -EBADF);
	CHECK(bell_listen(&b, &port) == 0);
	fd = visit(port, b.word, 4);
	CHECK(bell_accept(&b, 100) == -ETIMEDOUT);
	CHECK(b.at == -1 && b.fd == -1);
	(void)close(fd);
}

/* Two words are not the same, and a new bell is in the place of the old one. */
static void test_again(void)
{
	struct bell b = BELL_NONE;
	unsigned char first[BELL_WORD];
	int before = test_descriptors(getpid());
	int port = 0;
	for (int i = 0; i < 20; i++) {
		CHECK(bell_listen(&b, &port) == 0);
		CHECK(i == 0 || memcmp(first, b.word, BELL_WORD) != 0);
		memcpy(first, b.word, BELL_WORD);
		int fd = visit(port, b.word, BELL_WORD);
		CHECK(bell_accept(&b, 5000) == 0);
		(void)close(fd);
	}
	CHECK(test_descriptors(getpid()) == before + 1);
	bell_close(&b);
}

/* The end of the process is the end of the connection, also where a child of it
 * lives on. */
static void test_end(void)
{
	static struct bell b = BELL_NONE;
	int say[2], port = 0;
	pid_t child = 0;
	CHECK(pipe(say) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(bell_listen(&b, &port) == 0);
		CHECK(write(say[1], &port, sizeof(port)) > 0);
		CHECK(write(say[1], b.word, BELL_WORD) > 0);
		CHECK(bell_accept(&b, 5000) == 0);
		child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			CHECK(b.fd == -1 && b.at == -1);
			(void)pause();
		}
		CHECK(write(say[1], &child, sizeof(child)) > 0);
		(void)pause();
	}
	unsigned char word[BELL_WORD];
	CHECK(read(say[0], &port, sizeof(port)) == sizeof(port));
	CHECK(read(say[0], word, BELL_WORD) == BELL_WORD);
	int fd = visit(port, word, BELL_WORD);
	CHECK(read(say[0], &child, sizeof(child)) == sizeof(child));
	CHECK(!readable(fd, 0));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	char c = 0;
	CHECK(readable(fd, 5000) && recv(fd, &c, 1, 0) <= 0);
	CHECK(kill(child, SIGKILL) == 0);
	(void)close(fd);
}

int main(void)
{
	test_rings();
	test_strangers();
	test_again();
	test_end();
	return 0;
}
