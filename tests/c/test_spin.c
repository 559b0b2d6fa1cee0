/* Staying awake: what is learned, what is waited for, and what that costs; and
 * what comes by another way than a descriptor. */
#include "spin.h"

#include <sys/resource.h>

#include "clock.h"
#include "io.h"
#include "test.h"

static double cpu(void)
{
	struct rusage r;
	CHECK(getrusage(RUSAGE_SELF, &r) == 0);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static void answers_as_poll(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	for (int may = 0; may < 2; may++) {
		struct spin s;
		spin_init(&s);
		s.expected = 0; /* awake, if it may */
		struct pollfd p = {.fd = end[0], .events = POLLIN};
		CHECK(spin_poll(&s, &p, 1, 0, may, NULL) == 0);
		double t = test_now();
		CHECK(spin_poll(&s, &p, 1, 30, may, NULL) == 0);
		CHECK(test_now() - t > 0.029);
		CHECK(io_send(end[1], "x", 1) == 1);
		CHECK(spin_poll(&s, &p, 1, -1, may, NULL) == 1);
		CHECK(p.revents == POLLIN);
		char c;
		CHECK(io_recv(end[0], &c, 1) == 1);
	}
	struct spin s;
	spin_init(&s);
	CHECK(spin_poll(&s, NULL, 1, 0, true, NULL) == -EFAULT);
	io_close(&end[0]);
	io_close(&end[1]);
}

/* Waits of that many nanoseconds, or of a little more. */
static void expect_after(struct spin *s, uint64_t ns)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	CHECK(spin_poll(s, &p, 1, (int)(ns / 1000000), true, NULL) == 0);
}

static void learns(void)
{
	struct spin s;
	spin_init(&s);
	CHECK(s.expected > SPIN_MOST);
	/* What is there already teaches nothing. */
	int end[2];
	CHECK(io_pair(end) == 0 && io_send(end[1], "x", 1) == 1);
	struct pollfd p = {.fd = end[0], .events = POLLIN};
	uint64_t before = s.expected;
	CHECK(spin_poll(&s, &p, 1, -1, true, NULL) == 1 &&
	      s.expected == before);
	CHECK(spin_poll(&s, &p, 1, 0, true, NULL) == 1 && s.expected == before);
	/* One long wait, and nothing is expected soon. */
	s.expected = 0;
	expect_after(&s, 5000000);
	CHECK(s.expected > SPIN_MOST);
	for (int i = 0; i < 10; i++)
		expect_after(&s, 2000000);
	CHECK(s.expected > 3 * SPIN_MOST);
	io_close(&end[0]);
	io_close(&end[1]);
}

/* Two processes that answer each other at once. */
static void answer_each_other(int fd, struct spin *s, int n, bool first)
{
	char c = 'x';
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (first)
			CHECK(io_send(fd, &c, 1) == 1);
		CHECK(spin_poll(s, &p, 1, 10000, true, NULL) == 1);
		CHECK(io_recv(fd, &c, 1) == 1);
		if (!first)
			CHECK(io_send(fd, &c, 1) == 1);
	}
}

static void answers(void)
{
	enum { TIMES = 2000 };
	int end[2];
	CHECK(io_pair(end) == 0);
	struct spin s;
	spin_init(&s);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		answer_each_other(end[1], &s, TIMES, false);
		_exit(0);
	}
	answer_each_other(end[0], &s, TIMES, true);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	io_close(&end[0]);
	io_close(&end[1]);
}

/* Asleep after SPIN_MOST at the latest. */
static void sleeps(void)
{
	struct spin s = {.expected = 0};
	struct pollfd p = {.fd = -1, .events = POLLIN};
	double t = cpu();
	CHECK(spin_poll(&s, &p, 1, 1000, true, NULL) == 0);
	CHECK(cpu() - t < 0.2);
}

static void by_signal(void)
{
	struct spin s = {.expected = 0};
	struct pollfd p = {.fd = -1, .events = POLLIN};
	test_alarm(20);
	CHECK(spin_poll(&s, &p, 1, 10000, true, NULL) == -EINTR);
}

/* ---- with a look ---- */

struct thing {
	int ready_after; /* so many looks; -1: it is not there */
	int looks, sleeps;
	bool asleep;
	bool ready_asleep; /* it comes while we go to sleep */
	int wakes;	   /* -1, or where a byte is sent to when we do */
};

static const struct thing absent = {.ready_after = -1, .wakes = -1};

static bool is_ready(void *of)
{
	struct thing *t = of;
	t->looks++;
	return t->ready_after >= 0 && t->looks > t->ready_after;
}

/* Called in pairs. */
static void goes_to_sleep(void *of, bool sleeps)
{
	struct thing *t = of;
	CHECK(sleeps == !t->asleep);
	t->asleep = sleeps;
	t->sleeps += sleeps;
	if (sleeps && t->ready_asleep)
		t->ready_after = 0;
	if (sleeps && t->wakes >= 0)
		CHECK(io_send(t->wakes, "x", 1) == 1);
}

static int look_for(struct thing *t, struct spin *s, struct pollfd *p, int ms,
		    bool may)
{
	const struct spin_look look = {is_ready, goes_to_sleep, t};
	int rc = spin_poll(s, p, 1, ms, may, &look);
	CHECK(!t->asleep);
	return rc;
}

/* Nobody sleeps, and nothing is learned from it. */
static void found_at_once(void)
{
	for (int may = 0; may < 2; may++) {
		struct spin s = {.expected = 12345};
		struct pollfd p = {.fd = -1, .events = POLLIN, .revents = 77};
		for (int i = 0; i < 100; i++) {
			struct thing t = absent;
			t.ready_after = 0;
			p.revents = 77;
			CHECK(look_for(&t, &s, &p, i % 2 ? -1 : 0, may) == 0);
			CHECK(t.sleeps == 0 && p.revents == 0);
			CHECK(s.expected == 12345);
		}
	}
}

/* Descriptors come into their own at least every millisecond, and are not asked
 * each time. */
static void asks_at_times(void)
{
	int end[2], asked = 0, not_asked = 0;
	CHECK(io_pair(end) == 0 && io_send(end[1], "x", 1) == 1);
	struct spin s = {.expected = 0};
	struct pollfd p = {.fd = end[0], .events = POLLIN};
	double limit = test_now() + 10;
	while (asked < 20 || not_asked < 20) {
		struct thing t = absent;
		t.ready_after = 0;
		p.revents = 77;
		bool due = clock_now() - s.polled >= 1000000;
		int rc = look_for(&t, &s, &p, -1, true);
		CHECK(rc == 1 || (rc == 0 && !due));
		CHECK(p.revents == (rc ? POLLIN : 0) && t.sleeps == 0);
		asked += rc;
		not_asked += !rc;
		CHECK(test_now() < limit);
	}
	io_close(&end[0]);
	io_close(&end[1]);
}

/* In the time we stay awake; not always, on a busy machine. */
static void found_while_awake(void)
{
	int awake = 0;
	for (int i = 0; i < 1000 && awake < 20; i++) {
		struct spin s = {.expected = 1};
		struct pollfd p = {.fd = -1, .events = POLLIN, .revents = 77};
		struct thing t = absent;
		t.ready_after = 5 + i % 20;
		CHECK(look_for(&t, &s, &p, -1, true) == 0);
		CHECK(p.revents == 0 && t.looks > t.ready_after);
		awake += t.sleeps == 0;
		CHECK(s.expected > 1); /* that was a wait */
	}
	CHECK(awake == 20);
}

/* Who may not stay awake looks once more after saying that it sleeps. */
static void found_before_sleep(void)
{
	for (int may = 0; may < 2; may++) {
		struct spin s = {.expected = 0};
		struct pollfd p = {.fd = -1, .events = POLLIN, .revents = 77};
		struct thing t = absent;
		t.ready_asleep = true;
		double begin = test_now();
		CHECK(look_for(&t, &s, &p, 20000, may) == 0);
		CHECK(test_now() - begin < 10);
		CHECK(t.sleeps == 1 && p.revents == 0);
	}
}

static void woken_asleep(void)
{
	int end[2];
	char c;
	CHECK(io_pair(end) == 0);
	for (int may = 0; may < 2; may++) {
		struct spin s = {.expected = 0};
		struct pollfd p = {.fd = end[0], .events = POLLIN};
		struct thing t = absent;
		t.wakes = end[1];
		CHECK(look_for(&t, &s, &p, 20000, may) == 1);
		CHECK(t.sleeps == 1 && p.revents == POLLIN);
		CHECK(may ? t.looks > 10 : t.looks < 10);
		/* It is there still. */
		t.wakes = -1;
		CHECK(look_for(&t, &s, &p, 20000, may) == 1);
		CHECK(p.revents == POLLIN);
		CHECK(io_recv(end[0], &c, 1) == 1);
	}
	io_close(&end[0]);
	io_close(&end[1]);
}

/* In pairs, however it ends. */
static void sleeps_in_pairs(void)
{
	for (int may = 0; may < 2; may++) {
		struct spin s = {.expected = 0};
		struct pollfd p = {.fd = -1, .events = POLLIN};
		struct thing t = absent;
		CHECK(look_for(&t, &s, &p, 0, may) == 0 && t.sleeps == 0);
		double begin = test_now(), used = cpu();
		CHECK(look_for(&t, &s, &p, 300, may) == 0 && t.sleeps == 1);
		CHECK(test_now() - begin > 0.295 && cpu() - used < 0.1);
		s.expected = 0;
		test_alarm(20);
		CHECK(look_for(&t, &s, &p, 20000, may) == -EINTR);
		CHECK(t.sleeps == 2);
	}
}

/* Did it stay awake for it? What is expected says that it is worth it. */
static bool stays_awake(struct spin *s, int ready_after)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	struct thing t = absent;
	t.ready_after = ready_after;
	s->expected = 0;
	(void)look_for(&t, s, &p, 1, true);
	return t.sleeps == 0 || t.looks > 10;
}

/* Less and less often where it is in vain, as often as before where it is not.
 */
static void learns_from_failure(void)
{
	struct spin s;
	spin_init(&s);
	int stays = 0;
	for (int i = 0; i < 300; i++)
		stays += stays_awake(&s, -1);
	CHECK(stays >= 3 && stays <= 10);
	double limit = test_now() + 10;
	while (s.wary > 0 && test_now() < limit)
		(void)stays_awake(&s, 5);
	CHECK(s.wary == 0 && s.asleep == 0);
}

/* Whatever was there before: descriptors have not been asked yet. */
static void begins_anew(void)
{
	int end[2];
	CHECK(io_pair(end) == 0 && io_send(end[1], "x", 1) == 1);
	struct pollfd p = {.fd = end[0], .events = POLLIN};
	struct spin s = {.polled = clock_now()};
	spin_init(&s);
	struct thing t = absent;
	t.ready_after = 0;
	CHECK(look_for(&t, &s, &p, -1, true) == 1);
	io_close(&end[0]);
	io_close(&end[1]);
}

int main(void)
{
	int before = test_descriptors(getpid());
	answers_as_poll();
	learns();
	answers();
	sleeps();
	by_signal();
	found_at_once();
	asks_at_times();
	found_while_awake();
	found_before_sleep();
	woken_asleep();
	sleeps_in_pairs();
	learns_from_failure();
	begins_anew();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
