/*
 * Descriptors over links with rings: they come ahead of the bytes that tell of
 * them, are claimed in any order, and none is left open. Both ends are this
 * process.
 */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "io.h"
#include "test.h"

enum { MOST = LINK_ARRIVED + 10 };

static struct link session, worker;
static int in[MOST]; /* the reading ends of what is passed */
static ino_t known[MOST];

static void set_up(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	link_init(&session, end[0]);
	link_init(&worker, end[1]);
	worker.passing = LINK_RINGS;
	CHECK(link_share(&session) == 0);
}

static void tear_down(void)
{
	link_release(&session);
	link_release(&worker);
}

static bool is_known(int fd, const void *of)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	return st.st_ino == *(const ino_t *)of;
}

/* The only writing end of a pipe; by its number. */
static void pass(struct link *l, int i)
{
	int p[2];
	struct stat st;
	CHECK(pipe(p) == 0 && fstat(p[1], &st) == 0);
	in[i] = p[0];
	known[i] = st.st_ino;
	CHECK(link_pass(l, p[1]) == 0);
	CHECK(close(p[1]) == 0); /* the link has its own */
}

static bool is_open(int i)
{
	return io_wait(in[i], POLLIN, 0) == 0; /* else its end */
}

static void drop(int i)
{
	CHECK(close(in[i]) == 0);
}

static void claim(struct link *l, int i)
{
	int fd = link_claim(l, is_known, &known[i]);
	char c = 0;
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(write(fd, "x", 1) == 1 && read(in[i], &c, 1) == 1 && c == 'x');
	CHECK(link_claim(l, is_known, &known[i]) == -ENOENT);
	CHECK(is_open(i) && close(fd) == 0 && !is_open(i));
}

static void send_one(struct link *from, struct link *to)
{
	char c = 0;
	CHECK(link_send(from, "a", 1) == 1);
	CHECK(link_recv(to, &c, 1) == 1 && c == 'a');
	CHECK(link_recv(to, &c, 1) == -EAGAIN);
}

/* Before anything was sent: the memory goes first. */
static void passed_first(void)
{
	set_up();
	pass(&session, 0);
	pass(&session, 1);
	char c;
	CHECK(link_recv(&worker, &c, 1) == -EAGAIN);
	CHECK(link_has_rings(&worker) && link_take(&worker) == -1);
	send_one(&session, &worker);
	claim(&worker, 0);
	claim(&worker, 1);
	drop(0);
	drop(1);
	tear_down();
}

/* Those before the one that is claimed are closed, those after it stay; until
 * the link is released. */
static void claimed(void)
{
	set_up();
	send_one(&session, &worker);
	struct link *ends[] = {&session, &worker};
	for (int way = 0; way < 4; way++) {
		struct link *from = ends[way % 2], *to = ends[1 - way % 2];
		for (int i = 0; i < 6; i++)
			pass(from, i);
		CHECK(link_send(from, "ab", 2) == 2);
		char c[2];
		if (way < 2) /* read before, or behind */
			CHECK(link_recv(to, c, 2) == 2);
		claim(to, 0);
		claim(to, 3);
		for (int i = 0; i < 6; i++)
			CHECK(is_open(i) == (i > 3));
		CHECK(link_claim(to, is_known, &known[2]) == -ENOENT);
		CHECK(is_open(4) && is_open(5));
		if (way >= 2)
			CHECK(link_recv(to, c, 2) == 2);
		CHECK(link_recv(to, c, 1) == -EAGAIN);
		claim(to, 5);
		for (int i = 0; i < 6; i++) {
			CHECK(!is_open(i));
			drop(i);
		}
	}
	for (int i = 0; i < 4; i++)
		pass(ends[i % 2], i);
	char c;
	CHECK(link_recv(&worker, &c, 1) == -EAGAIN); /* taken in, or not */
	tear_down();
	for (int i = 0; i < 4; i++) {
		CHECK(!is_open(i));
		drop(i);
	}
}

/* Of more than may wait the first are closed. */
static void never_claimed(void)
{
	set_up();
	send_one(&session, &worker);
	char c;
	for (int i = 0; i < MOST; i++) {
		pass(&session, i);
		if (i % 7 == 0)
			CHECK(link_recv(&worker, &c, 1) == -EAGAIN);
	}
	CHECK(link_recv(&worker, &c, 1) == -EAGAIN);
	for (int i = 0; i < MOST; i++)
		CHECK(is_open(i) == (i >= MOST - LINK_ARRIVED));
	claim(&worker, MOST - LINK_ARRIVED);
	claim(&worker, MOST - 1);
	for (int i = 0; i < MOST; i++)
		drop(i);
	tear_down();
}

/* What the socket takes, and no more; the rings are not touched by it. */
static void full(void)
{
	set_up();
	send_one(&session, &worker);
	int before = test_descriptors(getpid()), n = 0, rc;
	while ((rc = link_pass(&session, 0)) == 0)
		n++;
	CHECK(rc == -EAGAIN && n > 100 && n < LINK_ARRIVED);
	CHECK(link_send(&session, "a", 1) == 1);
	char c;
	CHECK(link_recv(&worker, &c, 1) == 1 && c == 'a');
	CHECK(link_recv(&worker, &c, 1) == -EAGAIN);
	CHECK(test_descriptors(getpid()) == before + n);
	CHECK(link_wait_pass(&session, 20000) == 1);
	CHECK(link_pass(&session, 0) == 0);
	/* Full again, and nobody there any more. */
	while (link_pass(&session, 0) == 0)
		;
	link_release(&worker);
	CHECK(link_wait_pass(&session, 20000) == 1);
	CHECK(link_pass(&session, 0) == -EPIPE);
	tear_down();
}

/* What was passed can be claimed after the end, which then shows. */
static void ends(void)
{
	for (int late = 0; late < 2; late++) {
		set_up();
		send_one(&session, &worker);
		pass(&session, 0);
		CHECK(link_send(&session, "ab", 2) == 2);
		link_release(&session);
		char c;
		CHECK(link_recv(&worker, &c, 1) == 1 && c == 'a');
		if (!late)
			claim(&worker, 0);
		CHECK(link_recv(&worker, &c, 1) == 1 && c == 'b');
		CHECK(link_recv(&worker, &c, 1) == -EPIPE);
		if (late)
			claim(&worker, 0);
		CHECK(link_recv(&worker, &c, 1) == -EPIPE);
		CHECK(link_pass(&worker, 0) == -EPIPE);
		drop(0);
		tear_down();
	}
}

/* On a link without rings there is none, and its bytes are not taken for any.
 */
static void without_rings(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	link_init(&session, end[0]);
	link_init(&worker, end[1]);
	char c = 0;
	CHECK(link_pass(&session, 0) == -EINVAL);
	CHECK(link_send(&session, "a", 1) == 1);
	CHECK(link_claim(&worker, is_known, &known[0]) == -ENOENT);
	CHECK(link_recv(&worker, &c, 1) == 1 && c == 'a');
	tear_down();
}

int main(void)
{
	int before = test_descriptors(getpid());
	passed_first();
	claimed();
	never_claimed();
	full();
	ends();
	without_rings();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
