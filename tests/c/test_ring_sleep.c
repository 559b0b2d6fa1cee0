/*
 * Both sides of a ring that really sleep, on a socket: each sleep is woken once
 * at most, and no sleeper is left asleep. The moment that matters is short, so
 * it is also brought about many times, without a sleep.
 */
#include "ring.h"

#include <poll.h>
#include <sched.h>

#include "io.h"
#include "test_stream.h"

/* What both processes share. */
struct common {
	struct ring_state state;
	_Atomic uint64_t slept[2], woken[2]; /* by side */
	_Atomic uint64_t round[2];	     /* where they meet */
	_Atomic bool seen[2], over;
	unsigned char bytes[1 << 13];
};

enum side { READER, WRITER };

static struct common *new_common(void)
{
	return new_shared(sizeof(struct common));
}

static void drop_common(struct common *c)
{
	drop_shared(c, sizeof(*c));
}

struct sleeper {
	struct common *c;
	struct ring r;
	enum side side;
	int fd; /* to the other one */
};

static bool may_go_on(const struct sleeper *s)
{
	return s->side == READER ? ring_readable(&s->r) : ring_writable(&s->r);
}

static void announce(struct sleeper *s, bool sleeps)
{
	if (s->side == READER)
		ring_reader_sleeps(&s->r, sleeps);
	else
		ring_writer_sleeps(&s->r, sleeps);
}

/* As links do it; a wake-up that does not come in time was lost. */
static void sleep_on(struct sleeper *s)
{
	char some_bytes[16];
	announce(s, true);
	s->c->slept[s->side]++;
	if (!may_go_on(s)) {
		CHECK(io_wait(s->fd, POLLIN, 10000) == 1);
		CHECK(may_go_on(s) || io_recv(s->fd, some_bytes, 16) > 0);
	}
	announce(s, false);
	while (io_recv(s->fd, some_bytes, sizeof(some_bytes)) > 0)
		;
}

/* Moves n bytes; both sides dawdle at times, so that either has to wait. */
static void move(struct sleeper *s, uint64_t total)
{
	static unsigned char bytes[300];
	for (uint64_t at = 0; at < total;) {
		size_t n = 1 + test_below(sizeof(bytes));
		n = n < total - at ? n : (size_t)(total - at);
		ssize_t k;
		if (s->side == READER) {
			k = ring_read(&s->r, bytes, n);
			check_bytes(bytes, at, k > 0 ? (size_t)k : 0);
		} else {
			make(bytes, at, n);
			k = ring_write(&s->r, bytes, n);
		}
		CHECK(k >= 0);
		at += (size_t)k;
		bool wakes = s->side == READER ? ring_wakes_writer(&s->r)
					       : ring_wakes_reader(&s->r);
		if (wakes) {
			s->c->woken[1 - s->side]++;
			ssize_t sent = io_send(s->fd, "", 1);
			CHECK(sent == 1 || sent == -EPIPE); /* it is done */
		}
		if (k == 0)
			sleep_on(s);
		else if (test_below(8) == 0)
			for (size_t i = test_below(3000); i > 0; i--)
				(void)ring_readable(&s->r);
	}
}

static void is_woken(size_t size, uint64_t total)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	struct common *c = new_common();
	struct sleeper s = {.c = c};
	ring_init(&s.r, &c->state, c->bytes, size);
	pid_t pid = fork();
	CHECK(pid >= 0);
	s.side = pid == 0 ? WRITER : READER;
	s.fd = end[s.side];
	io_close(&end[1 - s.side]);
	test_seed += s.side + size;
	move(&s, total);
	if (pid == 0)
		_exit(0);
	test_wait_ok(pid);
	for (int side = 0; side < 2; side++) {
		CHECK(c->slept[side] > 0);
		CHECK(c->woken[side] > 0);
		CHECK(c->woken[side] <= c->slept[side]);
	}
	drop_common(c);
	io_close(&s.fd);
}

/* Goes on when the other one is here too. */
static void meet(struct common *c, enum side side)
{
	uint64_t round = ++c->round[side];
	for (int i = 1; c->round[1 - side] < round; i++)
		if (i % 2000 == 0)
			(void)sched_yield();
}

static void dawdle(void)
{
	for (volatile size_t i = test_below(40); i > 0; i--)
		;
}

/* One announces its sleep and looks, the other one moves on and asks whether to
 * wake it, at the same time: one of the two sees the other. */
static void sees_the_other(enum side sleeps)
{
	enum { ROUNDS = 200000 };
	double end = test_now() + 2; /* where cores are busy */
	struct common *c = new_common();
	struct sleeper s = {.c = c};
	ring_init(&s.r, &c->state, c->bytes, 1);
	pid_t pid = fork();
	CHECK(pid >= 0);
	s.side = pid == 0 ? WRITER : READER;
	test_seed += s.side;
	for (int i = 0; i < ROUNDS && !c->over; i++) {
		unsigned char byte = 0;
		/* Nothing to read, or no room. */
		if (sleeps == WRITER && s.side == WRITER)
			CHECK(ring_write(&s.r, &byte, 1) == 1);
		meet(c, s.side);
		dawdle();
		if (s.side == sleeps) {
			announce(&s, true);
			c->seen[s.side] = may_go_on(&s);
		} else if (s.side == READER) {
			(void)ring_read(&s.r, &byte, 1);
			c->seen[s.side] = ring_wakes_writer(&s.r);
		} else {
			(void)ring_write(&s.r, &byte, 1);
			c->seen[s.side] = ring_wakes_reader(&s.r);
		}
		meet(c, s.side);
		CHECK(c->seen[READER] || c->seen[WRITER]);
		if (s.side == sleeps)
			announce(&s, false);
		if (sleeps == READER && s.side == READER)
			CHECK(ring_read(&s.r, &byte, 1) == 1);
		if (s.side == READER)
			c->over = test_now() > end;
		meet(c, s.side);
	}
	if (pid == 0)
		_exit(0);
	test_wait_ok(pid);
	drop_common(c);
}

int main(void)
{
	int before = test_descriptors(getpid());
	sees_the_other(READER);
	sees_the_other(WRITER);
	is_woken(1, 20000);
	is_woken(2, 40000);
	is_woken(7, 100000);
	is_woken(100, 1000000);
	is_woken(4096, 4000000);
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
