/*
 * Links, with rings and without: how the peer learns of the memory, what is
 * sent over the socket and when, waiting, and ends. Both ends are this process
 * unless a test says otherwise.
 */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "io.h"
#include "test.h"

static bool shares; /* memory */
static struct link session, worker;

static void set_up(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	link_init(&session, end[0]);
	link_init(&worker, end[1]);
	worker.passing = LINK_RINGS;
	if (shares)
		CHECK(link_share(&session) == 0);
	CHECK(link_has_rings(&session) == shares);
	CHECK(!link_has_rings(&worker));
}

static void check_none(const struct link *l)
{
	CHECK(l->fd == -1 && l->passed == -1 && l->memory.fd == -1);
	CHECK(!link_has_rings(l) && !link_ready(l, LINK_ROOM));
}

static void tear_down(void)
{
	link_release(&session);
	link_release(&worker);
	check_none(&session);
	check_none(&worker);
	link_release(&worker); /* once more is harmless */
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 256);
}

/* Sends what goes of so many bytes of a stream. */
static size_t send_some(struct link *l, size_t at, size_t n)
{
	unsigned char *bytes = malloc(n);
	CHECK(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(at + i);
	ssize_t k = link_send(l, bytes, n);
	CHECK(k == -EAGAIN || (k > 0 && (size_t)k <= n));
	free(bytes);
	return k > 0 ? (size_t)k : 0;
}

static size_t fill(struct link *l, size_t at, size_t piece)
{
	size_t begin = at, k;
	while ((k = send_some(l, at, piece)) > 0)
		at += k;
	return at - begin;
}

static size_t receive_some(struct link *l, size_t at, size_t n)
{
	unsigned char *bytes = malloc(n);
	CHECK(bytes);
	ssize_t k = link_recv(l, bytes, n);
	CHECK(k == -EAGAIN || (k > 0 && (size_t)k <= n));
	for (ssize_t i = 0; i < k; i++)
		if (bytes[i] != byte_at(at + (size_t)i))
			CHECK(!"the bytes that were sent");
	free(bytes);
	return k > 0 ? (size_t)k : 0;
}

static size_t empty(struct link *l, size_t at, size_t piece)
{
	size_t begin = at, k;
	while ((k = receive_some(l, at, piece)) > 0)
		at += k;
	return at - begin;
}

/* Bytes on the socket, which are taken off it. */
static ssize_t wake_ups(const struct link *l)
{
	char some[100];
	ssize_t k = io_recv(l->fd, some, sizeof(some));
	CHECK(k > 0 || k == -EAGAIN);
	return k > 0 ? k : 0;
}

/* ---- the memory ---- */

/* All that is sent before the worker looks is there; the socket has one byte,
 * and one descriptor. */
static void told_with_the_first_bytes(void)
{
	set_up();
	CHECK(!session.announced);
	CHECK(io_wait(worker.fd, POLLIN, 0) == 0);
	unsigned char none;
	CHECK(link_recv(&worker, &none, 1) == -EAGAIN);
	CHECK(link_recv(&session, &none, 1) == -EAGAIN);
	CHECK(!link_has_rings(&worker));
	int before = test_descriptors(getpid());
	CHECK(send_some(&session, 0, 10) == 10 && session.announced);
	CHECK(send_some(&session, 10, 1000) == 1000);
	CHECK(io_wait(worker.fd, POLLIN, 0) == 1);
	CHECK(receive_some(&worker, 0, 7) == 7 && link_has_rings(&worker));
	CHECK(worker.announced && worker.passed == -1);
	CHECK(test_descriptors(getpid()) ==
	      before - 1); /* mapped: no descriptor */
	CHECK(wake_ups(&worker) == 0);
	CHECK(receive_some(&worker, 7, 5000) == 1003);
	CHECK(send_some(&worker, 0, 100) == 100 && wake_ups(&session) == 0);
	CHECK(receive_some(&session, 0, 1000) == 100);
	/* It is told once. */
	link_sleeps(&worker, LINK_NONE, true);
	CHECK(send_some(&session, 0, 10) == 10 && wake_ups(&worker) == 1);
	CHECK(test_descriptors(getpid()) == before - 1);
	tear_down();
}

/* As much as fits, one byte, at any time: the first look sees it all. */
static void told_late(void)
{
	set_up();
	size_t n = fill(&session, 0, 1);
	CHECK(n > 1000 && !link_ready(&session, LINK_ROOM));
	CHECK(empty(&worker, 0, 12345) == n);
	tear_down();
	set_up();
	n = fill(&session, 0, 1 << 20);
	io_close(&session.fd);
	unsigned char c;
	for (size_t at = 0; at < n;)
		at += receive_some(&worker, at, 50000);
	CHECK(link_recv(&worker, &c, 1) == -EPIPE);
	tear_down();
}

/* Awake: nothing is sent. Asleep: a byte, for what it sleeps for only. */
static void wakes(void)
{
	set_up();
	CHECK(send_some(&session, 0, 1) == 1);
	CHECK(receive_some(&worker, 0, 1) == 1);
	struct link *ends[] = {&session, &worker};
	for (int i = 0; i < 2; i++) {
		struct link *from = ends[i], *to = ends[1 - i];
		CHECK(send_some(from, 0, 10) == 10 && wake_ups(to) == 0);
		CHECK(link_ready(to, LINK_NONE) &&
		      !link_ready(from, LINK_NONE));
		CHECK(receive_some(to, 0, 10) == 10 && wake_ups(from) == 0);
		link_sleeps(to, LINK_NONE, true);
		CHECK(send_some(from, 0, 10) == 10);
		CHECK(send_some(from, 10, 10) == 10);
		CHECK(wake_ups(to) == 1);
		link_sleeps(to, LINK_NONE, false);
		CHECK(receive_some(to, 0, 30) == 20 && wake_ups(from) == 0);
		size_t n = fill(from, 0, 5000);
		CHECK(wake_ups(to) == 0 && !link_ready(from, LINK_ROOM));
		link_sleeps(from, LINK_NONE, true); /* for something to come */
		CHECK(receive_some(to, 0, 10) == 10 && wake_ups(from) == 0);
		CHECK(fill(from, n, 5000) == 10);
		link_sleeps(from, LINK_NONE, false);
		link_sleeps(from, LINK_ROOM, true); /* for room as well */
		CHECK(receive_some(to, 10, 10) == 10);
		CHECK(link_ready(from, LINK_ROOM) &&
		      !link_ready(from, LINK_NONE));
		CHECK(receive_some(to, 20, 10) == 10);
		CHECK(wake_ups(from) == 1);
		link_sleeps(from, LINK_ROOM, false);
		CHECK(receive_some(to, 30, 10) == 10 && wake_ups(from) == 0);
		CHECK(fill(from, n + 10, 5000) == 30);
		CHECK(empty(to, 40, 77777) == n);
	}
	tear_down();
}

/* The first thing with a descriptor that is no memory of ours. */
static void wrong_first(int fd)
{
	char bytes[10] = {0};
	shares = false;
	set_up();
	int before = test_descriptors(getpid());
	CHECK(link_send_fd(&session, bytes, 1, fd) == 1);
	CHECK(link_recv(&worker, bytes, 10) == -EPROTO);
	CHECK(!link_has_rings(&worker) && worker.passed == -1);
	CHECK(worker.memory.fd == -1 && worker.memory.at == NULL);
	CHECK(test_descriptors(getpid()) == before);
	CHECK(close(fd) == 0);
	tear_down();
	shares = true;
}

static void wrong_memory(void)
{
	int p[2];
	CHECK(pipe(p) == 0);
	wrong_first(p[1]);
	char c;
	CHECK(read(p[0], &c, 1) == 0 && close(p[0]) == 0);
	set_up();
	off_t size = (off_t)session.memory.size;
	tear_down();
	int fd = memfd_create("other", MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	wrong_first(fd); /* it may still be shrunk */
	static const int by[] = {-4096, -1, 1, 4096};
	for (int i = 0; i < 4; i++) {
		struct shm s;
		CHECK(shm_create(&s, (size_t)(size + by[i])) == 0);
		wrong_first(s.fd);
	}
	/* The right memory, and nonsense in it. */
	set_up();
	CHECK(send_some(&session, 0, 10) == 10);
	session.out.state->written += 1 << 20;
	char bytes[10];
	CHECK(link_recv(&worker, bytes, 10) == -EPROTO);
	CHECK(link_recv(&worker, bytes, 10) == -EPROTO);
	worker.out.state->read += 1 << 20;
	CHECK(link_send(&worker, bytes, 10) == -EPROTO);
	tear_down();
}

/* Where none can be had, the socket is left as it was. */
static void not_shared(void)
{
	shares = false;
	set_up();
	struct rlimit old, few;
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 3;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(link_share(&session) == -EMFILE);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(!link_has_rings(&session) && session.memory.fd == -1);
	CHECK(send_some(&session, 0, 10) == 10);
	CHECK(receive_some(&worker, 0, 20) == 10 && !link_has_rings(&worker));
	tear_down();
	shares = true;
}

/* Those on offer are made with the first bytes sent, whatever was asked before;
 * where they cannot be had, that is not tried again. */
static void offered(void)
{
	for (int fails = 0; fails < 2; fails++) {
		char c;
		struct rlimit old, few;
		shares = false;
		set_up();
		int before = test_descriptors(getpid());
		session.offers = true;
		CHECK(link_recv(&session, &c, 1) == -EAGAIN);
		CHECK(link_wait(&session, LINK_NONE, 0) == 0);
		link_sleeps(&session, LINK_ROOM, true);
		CHECK(!link_ready(&session, LINK_ROOM));
		CHECK(!link_has_rings(&session) && session.offers);
		CHECK(test_descriptors(getpid()) == before);
		CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
		few = old;
		few.rlim_cur = fails ? 3 : old.rlim_cur;
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		CHECK(send_some(&session, 0, 10) == 10);
		CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
		CHECK(link_has_rings(&session) == !fails && !session.offers);
		CHECK(link_open(&session) == !fails);
		CHECK(send_some(&session, 10, 10) == 10);
		CHECK(receive_some(&worker, 0, 30) == 20);
		CHECK(link_has_rings(&worker) == !fails && !worker.offers);
		CHECK(send_some(&worker, 0, 10) == 10);
		CHECK(receive_some(&session, 0, 10) == 10);
		CHECK(test_descriptors(getpid()) == before);
		tear_down();
		CHECK(!session.offers && !link_open(&session));
		shares = true;
	}
}

/* A message that was not announced for want of something, a descriptor's place
 * in flight for example, is announced with the next one, and came once. */
static void announced_later(void)
{
	set_up();
	int fd = session.memory.fd;
	session.memory.fd = -1;
	CHECK(link_send(&session, "abc", 3) == -EBADF);
	session.memory.fd = fd;
	char bytes[10] = "";
	CHECK(link_send(&session, "abc", 3) == 3);
	CHECK(link_recv(&worker, bytes, 10) == 3);
	CHECK(memcmp(bytes, "abc", 3) == 0);
	tear_down();
}

/* Who has no descriptor to receive the memory with is told of a failure, not of
 * bytes that nobody sent. */
static void no_descriptor_left(void)
{
	set_up();
	char bytes[10];
	struct rlimit old, few;
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 3;
	CHECK(send_some(&session, 0, 10) == 10);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	ssize_t k = link_recv(&worker, bytes, 10);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(k < 0 && k != -EAGAIN);
	tear_down();
}

/* ---- with and without ---- */

static void goes_through(void)
{
	static const size_t pieces[] = {1000, 33333, 1 << 20};
	set_up();
	CHECK(link_take(&worker) == -1);
	CHECK(send_some(&session, 0, 1) == 1);
	CHECK(receive_some(&worker, 0, 100) == 1);
	CHECK(link_has_rings(&worker) == shares);
	CHECK(worker.passing == LINK_NOTHING);
	struct link *ends[] = {&session, &worker};
	for (int i = 0; i < 12; i++) {
		struct link *from = ends[i % 2], *to = ends[1 - i % 2];
		size_t n = fill(from, 0, pieces[i % 3]);
		CHECK(n > 10000);
		CHECK(link_wait(from, LINK_ROOM, 0) == 0);
		CHECK(link_wait(to, LINK_NONE, 0) == 1);
		CHECK(receive_some(to, 0, 5000) == 5000);
		CHECK(empty(to, 5000, pieces[i / 4]) == n - 5000);
		CHECK(link_wait(from, LINK_ROOM, 0) == 1);
		CHECK(link_wait(to, LINK_NONE, 0) == 0);
		CHECK(send_some(from, n, 10) == 10);
		CHECK(receive_some(to, n, 20) == 10);
	}
	tear_down();
}

/* After the first bytes of a peer without memory no descriptor is expected. */
static void no_descriptors(void)
{
	set_up();
	CHECK(send_some(&session, 0, 1) == 1);
	CHECK(receive_some(&worker, 0, 1) == 1);
	int p[2];
	char c = 0;
	CHECK(pipe(p) == 0);
	CHECK(link_pass(&session, p[1]) == -EINVAL);
	CHECK(link_send_fd(&session, &c, 1, p[1]) == 1);
	CHECK(link_send_fd(&worker, &c, 1, p[1]) == 1);
	CHECK(close(p[1]) == 0);
	CHECK(link_recv(&worker, &c, 1) == 1 && link_take(&worker) == -1);
	CHECK(link_recv(&session, &c, 1) == 1 && link_take(&session) == -1);
	CHECK(read(p[0], &c, 1) == 0 && close(p[0]) == 0);
	tear_down();
}

/* All that was sent is received, then -EPIPE for ever; in both directions, also
 * where the first bytes have not been looked at. */
static void ends(void)
{
	char c = 0;
	for (int way = 0; way < 8; way++) {
		bool much = way & 1, known = way & 2, back = way & 4;
		if (back && !known)
			continue; /* the session speaks first */
		set_up();
		struct link *from = back ? &worker : &session;
		struct link *to = back ? &session : &worker;
		if (known) {
			CHECK(send_some(&session, 0, 1) == 1);
			CHECK(receive_some(&worker, 0, 1) == 1);
		}
		size_t n = much ? fill(from, 0, 7777) : 0;
		io_close(&from->fd);
		for (size_t at = 0; at < n;)
			at += receive_some(to, at, 3333);
		for (int i = 0; i < 3; i++) {
			CHECK(link_wait(to, LINK_NONE, 1000) == 1);
			CHECK(link_recv(to, &c, 1) == -EPIPE);
		}
		/* Nothing can be sent in the end. */
		int rc = 0;
		for (int i = 0; rc == 0 && i < 1000; i++) {
			static const char much_more[10000];
			ssize_t k = link_send(to, much_more, 10000);
			CHECK(k > 0 || k == -EAGAIN || k == -EPIPE);
			rc = k < 0 ? (int)k : 0;
		}
		if (rc == -EAGAIN)
			rc = link_wait(to, LINK_ROOM, 10000);
		CHECK(rc == -EPIPE);
		tear_down();
	}
}

static void over_any_link(void)
{
	goes_through();
	ends();
}

int main(void)
{
	int before = test_descriptors(getpid());
	over_any_link();
	no_descriptors();
	shares = true;
	over_any_link();
	told_with_the_first_bytes();
	told_late();
	wakes();
	wrong_memory();
	not_shared();
	offered();
	announced_later();
	no_descriptor_left();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
