/* Staying awake: what is learned, what is waited for, and what that costs. */
#include "spin.h"

#include <sys/resource.h>

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
		CHECK(spin_poll(&s, &p, 1, 0, may) == 0);
		double t = test_now();
		CHECK(spin_poll(&s, &p, 1, 30, may) == 0);
		CHECK(test_now() - t > 0.029);
		CHECK(io_send(end[1], "x", 1) == 1);
		CHECK(spin_poll(&s, &p, 1, -1, may) == 1);
		CHECK(p.revents == POLLIN);
		char c;
		CHECK(io_recv(end[0], &c, 1) == 1);
	}
	struct spin s;
	spin_init(&s);
	CHECK(spin_poll(&s, NULL, 1, 0, true) == -EFAULT);
	io_close(&end[0]);
	io_close(&end[1]);
}

/* Waits of that many nanoseconds, or of a little more. */
static void expect_after(struct spin *s, uint64_t ns)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	CHECK(spin_poll(s, &p, 1, (int)(ns / 1000000), true) == 0);
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
	CHECK(spin_poll(&s, &p, 1, -1, true) == 1 && s.expected == before);
	CHECK(spin_poll(&s, &p, 1, 0, true) == 1 && s.expected == before);
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
		CHECK(spin_poll(s, &p, 1, 10000, true) == 1);
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
	CHECK(spin_poll(&s, &p, 1, 1000, true) == 0);
	CHECK(cpu() - t < 0.2);
}

static void by_signal(void)
{
	struct spin s = {.expected = 0};
	struct pollfd p = {.fd = -1, .events = POLLIN};
	test_alarm(20);
	CHECK(spin_poll(&s, &p, 1, 10000, true) == -EINTR);
}

int main(void)
{
	answers_as_poll();
	learns();
	answers();
	sleeps();
	by_signal();
	return 0;
}
