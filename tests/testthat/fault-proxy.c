/*
 * A proxy for HTTP/1.1 on this machine that makes the faults it is told to.
 *
 *   fault-proxy UPSTREAM_PORT [FAULT...]
 *
 * Prints its port, then serves until it is killed. A fault is
 * VERB|PART|N|ACTION: the next N requests of that verb ("*": any) whose target
 * holds PART get
 *
 *   status:503       that status, not forwarded
 *   after:503:1      the same with "Retry-After: 1"
 *   reset            a reset connection, not forwarded
 *   lost             forwarded, but a reset in place of the answer
 *   stall            no answer, until the client leaves
 *   half             the head and half of the body, then a reset
 *   hang             the head and half of the body, then nothing
 *   flip             a byte of the answer's body changed
 *   garble           a byte of the request's body changed
 *   slow:100         forwarded after so many milliseconds
 *
 * The first fault that fits counts. One process for each connection.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FAULTS = 32, HEAD = 65536 };

struct fault {
	char verb[8];
	char part[100];
	char action[20];
	int argument;
	int second;
};

static struct fault faults[FAULTS];
static int n_faults;
static int *left; /* of each, shared by all processes */

struct message {
	char head[HEAD];
	size_t head_size;
	char *body;
	size_t size;
};

static int connect_to(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		exit(0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int put(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return -1;
		bytes += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int get(int fd, char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, bytes, n, 0);
		if (got <= 0)
			return -1;
		bytes += got;
		n -= (size_t)got;
	}
	return 0;
}

static const char *field(const struct message *m, const char *name)
{
	size_t n = strlen(name);
	const char *line = strstr(m->head, "\r\n");
	for (; line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
			return line + 3 + n;
	return NULL;
}

/* Appends to the body; 0 or -1. */
static int more(int fd, struct message *m, size_t n)
{
	m->body = realloc(m->body, m->size + n + 1);
	if (!m->body || get(fd, m->body + m->size, n) < 0)
		return -1;
	m->size += n;
	return 0;
}

/* A body in chunks becomes one of a known length. */
static int unchunk(int fd, struct message *m)
{
	for (;;) {
		char line[100];
		size_t n = 0;
		do
			if (n + 1 >= sizeof(line) || get(fd, line + n, 1) < 0)
				return -1;
		while (line[n++] != '\n');
		size_t size = (size_t)strtoull(line, NULL, 16);
		if (size > 0 && more(fd, m, size) < 0)
			return -1;
		if (get(fd, line, 2) < 0)
			return -1;
		if (size == 0)
			break;
	}
	char *at = strcasestr(m->head, "transfer-encoding:");
	char length[60];
	int n = snprintf(length, sizeof(length), "Content-Length: %zu",
			 m->size);
	char *end = strstr(at, "\r\n");
	size_t rest = m->head_size - (size_t)(end - m->head);
	memmove(at + n, end, rest + 1);
	memcpy(at, length, (size_t)n);
	m->head_size = strlen(m->head);
	return 0;
}

/* Reads a message; `bare`: it has no body whatever its head says. */
static int read_message(int fd, struct message *m, int bare)
{
	m->head_size = m->size = 0;
	free(m->body);
	m->body = NULL;
	do {
		if (m->head_size + 100 >= HEAD ||
		    get(fd, m->head + m->head_size, 1) < 0)
			return -1;
		m->head[++m->head_size] = '\0';
	} while (m->head_size < 4 ||
		 memcmp(m->head + m->head_size - 4, "\r\n\r\n", 4) != 0);
	const char *length = field(m, "content-length");
	const char *chunked = field(m, "transfer-encoding");
	if (bare || strncmp(m->head, "HTTP/1.1 304", 12) == 0)
		return 0;
	if (chunked)
		return unchunk(fd, m);
	return length ? more(fd, m, (size_t)strtoull(length, NULL, 10)) : 0;
}

static int write_message(int fd, const struct message *m, size_t size)
{
	if (put(fd, m->head, m->head_size) < 0)
		return -1;
	return size > 0 ? put(fd, m->body, size) : 0;
}

static const struct fault *find_fault(const struct message *m)
{
	char line[2000];
	size_t size = strcspn(m->head, "\r");
	(void)snprintf(line, sizeof(line), "%.*s", (int)size, m->head);
	for (int i = 0; i < n_faults; i++) {
		const struct fault *f = &faults[i];
		size_t n = strlen(f->verb);
		if (strcmp(f->verb, "*") != 0 &&
		    (strncmp(line, f->verb, n) != 0 || line[n] != ' '))
			continue;
		if (!strstr(line, f->part))
			continue;
		if (__atomic_fetch_sub(&left[i], 1, __ATOMIC_SEQ_CST) > 0)
			return f;
		(void)__atomic_fetch_add(&left[i], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void reset(int fd)
{
	struct linger hard = {1, 0};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	(void)close(fd);
	_exit(0);
}

static void wait_for_end(int fd)
{
	char byte;
	while (recv(fd, &byte, 1, 0) > 0)
		;
	_exit(0);
}

static void answer(int fd, const struct fault *f, int bare)
{
	char text[400];
	char after[60] = "";
	static const char body[] = "<Error><Code>Injected</Code></Error>";
	if (f->second >= 0)
		(void)snprintf(after, sizeof(after), "Retry-After: %d\r\n",
			       f->second);
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %d Injected\r\n%sx-ms-request-id: fault\r\n"
			 "x-ms-error-code: Injected\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 f->argument, after, sizeof(body) - 1,
			 bare ? "" : body);
	if (put(fd, text, (size_t)n) < 0)
		_exit(0);
}

static int is(const struct fault *f, const char *action)
{
	return f && strcmp(f->action, action) == 0;
}

/* One request and its answer. */
static void serve_one(int client, int *server, int port, struct message *m)
{
	const struct fault *f = find_fault(m);
	int bare = strncmp(m->head, "HEAD ", 5) == 0;
	if (is(f, "status") || is(f, "after")) {
		answer(client, f, bare);
		return;
	}
	if (is(f, "reset"))
		reset(client);
	if (is(f, "stall"))
		wait_for_end(client);
	if (is(f, "garble") && m->size > 0)
		m->body[m->size / 2] ^= 1;
	if (is(f, "slow")) {
		struct timespec t = {f->argument / 1000,
				     f->argument % 1000 * 1000000L};
		(void)nanosleep(&t, NULL);
	}
	if (*server < 0)
		*server = connect_to(port);
	if (write_message(*server, m, m->size) < 0 ||
	    read_message(*server, m, bare) < 0)
		reset(client);
	if (is(f, "lost"))
		reset(client);
	if (is(f, "flip") && m->size > 0)
		m->body[m->size / 2] ^= 1;
	int part = is(f, "half") || is(f, "hang");
	if (write_message(client, m, part ? m->size / 2 : m->size) < 0)
		_exit(0);
	if (is(f, "half")) {
		/* Past what a reset would take back. */
		(void)usleep(50000);
		reset(client);
	}
	if (is(f, "hang"))
		wait_for_end(client);
}

static void serve(int client, int port)
{
	static struct message m;
	int server = -1;
	int one = 1;
	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (read_message(client, &m, 0) == 0)
		serve_one(client, &server, port, &m);
	_exit(0);
}

static void read_fault(const char *text)
{
	struct fault *f = &faults[n_faults];
	int n;
	f->second = -1;
	if (sscanf(text, "%7[^|]|%99[^|]|%d|%19[a-z]:%d:%d", f->verb, f->part,
		   &n, f->action, &f->argument, &f->second) < 4) {
		(void)fprintf(stderr, "no fault: %s\n", text);
		exit(1);
	}
	left[n_faults++] = n;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	left = mmap(NULL, sizeof(int) * FAULTS, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 2; i < argc && n_faults < FAULTS; i++)
		read_fault(argv[i]);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || left == MAP_FAILED || argc < 2 ||
	    bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) < 0)
		return 1;
	printf("%d\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	(void)close(1);
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		if (fork() == 0) {
			(void)close(listener);
			serve(client, atoi(argv[1]));
		}
		(void)close(client);
	}
}
