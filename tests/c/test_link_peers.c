/*
 * Links between processes, with rings and without: waiting and being woken, and
 * peers that are killed.
 */
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

#include "test_peer.h"

static void fill(struct peer *p)
{
	ssize_t k;
	while ((k = send_some(p, 10000)) > 0)
		;
	CHECK(k == -EAGAIN);
}

/* ---- waiting ---- */

static double cpu(void)
{
	struct rusage r;
	CHECK(getrusage(RUSAGE_SELF, &r) == 0);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

/* A wake-up may come when what it tells of has been taken already. */
static void take_late_wake_ups(struct peer *p)
{
	do
		CHECK(receive_some(p, 1) == -EAGAIN);
	while (io_wait(p->link.fd, POLLIN, 50) == 1);
}

/* Nothing comes, there is no room: so long, at no cost, or until a signal. */
static void waits(bool to_send)
{
	enum link_wants wants = to_send ? LINK_ROOM : LINK_NONE;
	struct peer p = fork_peer(true);
	greet(&p);
	if (p.pid == 0) { /* there, and silent */
		CHECK(io_wait(p.link.fd, 0, IN_TIME) == 1); /* its end */
		end_peer(&p);
	}
	if (to_send)
		fill(&p);
	take_late_wake_ups(&p);
	double t = test_now();
	CHECK(link_wait(&p.link, wants, 0) == 0);
	CHECK(test_now() - t < 1);
	t = test_now();
	double used = cpu();
	CHECK(link_wait(&p.link, wants, 300) == 0);
	CHECK(test_now() - t > 0.295);
	CHECK(cpu() - used < 0.1);
	t = test_now();
	test_alarm(20);
	CHECK(link_wait(&p.link, wants, IN_TIME) == -EINTR);
	CHECK(test_now() - t > 0.015 && test_now() - t < 5);
	test_alarm(20);
	CHECK(link_wait(&p.link, wants, -1) == -EINTR);
	/* Nobody is told to wake us any longer. */
	if (shares) {
		CHECK(p.link.in.state->reader_sleeps == 0);
		CHECK(p.link.out.state->writer_sleeps == 0);
	}
	io_close(&p.link.fd);
	end_peer(&p);
}

/* An old wake-up is none: who waits for room goes to sleep all the same. */
static void waits_past_old_wake_ups(void)
{
	struct peer p = fork_peer(true);
	greet(&p);
	if (p.pid == 0) {
		for (int i = 0; i < 20; i++)
			CHECK(io_send(p.link.fd, "", 1) == 1);
		CHECK(send_some(&p, 1) == 1);
		CHECK(io_wait(p.link.fd, 0, IN_TIME) == 1); /* its end */
		end_peer(&p);
	}
	fill(&p);
	receive_all(&p, p.received + 1);
	double used = cpu(), t = test_now();
	int times = 0;
	while (test_now() - t < 0.2) {
		int rc = link_wait(&p.link, LINK_ROOM, 50);
		CHECK(rc == 0 || rc == 1);
		times++;
	}
	CHECK(times < 10 && cpu() - used < 0.1);
	io_close(&p.link.fd);
	end_peer(&p);
}

/* Woken when something comes, whoever waits. */
static void is_told(bool child_is_session)
{
	enum { TIMES = 5 };
	struct peer p = fork_peer(child_is_session);
	greet(&p);
	for (int i = 0; p.pid == 0 && i < TIMES; i++) {
		test_sleep(0.01);
		CHECK(send_some(&p, 5) == 5);
	}
	double t = test_now();
	if (p.pid > 0)
		receive_all(&p, p.received + 5 * TIMES);
	CHECK(test_now() - t < 10);
	end_peer(&p);
}

/* And when there is room. */
static void gets_room(bool child_is_session)
{
	struct peer p = fork_peer(child_is_session);
	greet(&p);
	for (ssize_t k = 0; p.pid == 0 && k != -EPIPE;) {
		test_sleep(0.01);
		do
			k = receive_some(&p, 1 << 20);
		while (k > 0);
	}
	for (int i = 0; p.pid > 0 && i < 5; i++) {
		fill(&p);
		double t = test_now();
		do
			CHECK(link_wait(&p.link, LINK_ROOM, IN_TIME) == 1);
		while (send_some(&p, 1) == -EAGAIN);
		CHECK(test_now() - t < 10);
	}
	io_close(&p.link.fd);
	end_peer(&p);
}

/* ---- ends ---- */

static void kill_peer(const struct peer *p)
{
	CHECK(kill(p->pid, SIGKILL) == 0);
	CHECK(waitpid(p->pid, NULL, 0) == p->pid);
}

/* Killed at any moment: all it published is received, then -EPIPE; and what is
 * sent to it ends so too. */
static void killed(bool child_is_session)
{
	size_t all = 0;
	for (int round = 0; round < 20; round++) {
		struct peer p = fork_peer(child_is_session);
		greet(&p);
		while (p.pid == 0) { /* from then on */
			if (send_some(&p, 1 + test_below(50000)) < 0)
				(void)link_wait(&p.link, LINK_ROOM, IN_TIME);
		}
		double end = test_now() + (double)test_below(10000) * 1e-6;
		while (test_now() < end) {
			ssize_t k = receive_some(&p, 1 + test_below(100000));
			CHECK(k > 0 || k == -EAGAIN);
			if (k < 0 && round % 2)
				CHECK(link_wait(&p.link, LINK_NONE, IN_TIME) ==
				      1);
		}
		kill_peer(&p);
		ssize_t k;
		while ((k = receive_some(&p, 1 + test_below(100000))) > 0)
			;
		CHECK(k == -EPIPE && receive_some(&p, 1) == -EPIPE);
		CHECK(!shares || p.received == p.link.in.state->written);
		for (int i = 0; k != -EPIPE && i < 1000; i++)
			k = send_some(&p, 10000);
		CHECK(k == -EPIPE ||
		      link_wait(&p.link, LINK_ROOM, IN_TIME) == -EPIPE);
		all += p.received;
		link_release(&p.link);
	}
	CHECK(all > 100000);
}

/* The last bytes come just as the other one finds nothing and asks the socket,
 * which has its end by then. */
static void last_words(void)
{
	enum { FORKS = 20, LINKS = 100 };
	for (int i = 0; i < FORKS; i++) {
		struct link links[LINKS];
		int end[LINKS][2];
		for (int k = 0; k < LINKS; k++)
			CHECK(io_pair(end[k]) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		for (int k = 0; k < LINKS; k++) {
			struct link *l = &links[k];
			io_close(&end[k][pid == 0]);
			link_init(l, end[k][pid != 0]);
			if (pid == 0)
				l->passing = LINK_RINGS;
			else if (shares)
				CHECK(link_share(l) == 0);
		}
		for (int k = 0; k < LINKS; k++) {
			struct link *l = &links[k];
			char c = 0;
			ssize_t rc;
			CHECK(pid == 0 || link_send(l, "a", 1) == 1);
			for (int n = 1; (rc = link_recv(l, &c, 1)) == -EAGAIN;
			     n++)
				if (n % 1000 == 0)
					(void)sched_yield();
			CHECK(rc == 1 && c == 'a'); /* no end before it */
			if (pid == 0)
				CHECK(link_send(l, "a", 1) == 1);
			link_release(l);
		}
		if (pid == 0)
			_exit(0);
		test_wait_ok(pid);
	}
}

/* Before the other one has looked at all. */
static void killed_unheard(void)
{
	struct peer p = fork_peer(true);
	if (p.pid == 0) {
		CHECK(send_some(&p, 1000) == 1000);
		CHECK(send_some(&p, 1000) == 1000);
		CHECK(kill(getpid(), SIGKILL) == 0);
	}
	CHECK(waitpid(p.pid, NULL, 0) == p.pid);
	CHECK(receive_some(&p, 1) == 1);
	receive_all(&p, 2000);
	CHECK(receive_some(&p, 1) == -EPIPE);
	link_release(&p.link);
}

/* While something waits for it: to speak, or to make room. */
static void killed_while_waited_for(bool child_is_session, bool to_send)
{
	enum link_wants wants = to_send ? LINK_ROOM : LINK_NONE;
	for (int asleep = 0; asleep < 2; asleep++) {
		struct peer p = fork_peer(child_is_session);
		greet(&p);
		if (p.pid == 0) {
			test_sleep(0.03);
			CHECK(kill(getpid(), SIGKILL) == 0);
		}
		if (to_send)
			fill(&p);
		if (!asleep)
			test_sleep(0.06);
		double t = test_now();
		ssize_t rc = 0;
		while (rc != -EPIPE) {
			CHECK(test_now() - t < 10);
			rc = to_send ? send_some(&p, 1) : receive_some(&p, 1);
			CHECK(rc > 0 || rc == -EAGAIN || rc == -EPIPE);
			if (rc == -EAGAIN)
				rc = link_wait(&p.link, wants, IN_TIME);
			CHECK(rc != 0);
		}
		CHECK(waitpid(p.pid, NULL, 0) == p.pid);
		link_release(&p.link);
	}
}

/* A child of it keeps the socket: no end, but all it published. */
static void outlived(void)
{
	struct peer p = fork_peer(false);
	greet(&p);
	if (p.pid == 0) {
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			test_sleep(30);
			_exit(0);
		}
		unsigned char bytes[sizeof(child)];
		memcpy(bytes, &child, sizeof(child));
		CHECK(link_send(&p.link, bytes, sizeof(bytes)) ==
		      sizeof(bytes));
		CHECK(kill(getpid(), SIGKILL) == 0);
	}
	CHECK(waitpid(p.pid, NULL, 0) == p.pid);
	pid_t child = 0;
	unsigned char bytes[sizeof(child)];
	CHECK(link_recv(&p.link, bytes, sizeof(bytes)) == sizeof(bytes));
	CHECK(receive_some(&p, 1) == -EAGAIN);
	memcpy(&child, bytes, sizeof(child));
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(link_wait(&p.link, LINK_NONE, IN_TIME) == 1);
	CHECK(receive_some(&p, 1) == -EPIPE);
	link_release(&p.link);
}

static void over_any_link(void)
{
	waits(false);
	waits(true);
	for (int i = 0; i < 2; i++) {
		is_told(i);
		gets_room(i);
		killed(i);
		killed_while_waited_for(i, false);
		killed_while_waited_for(i, true);
	}
	last_words();
	killed_unheard();
	outlived();
}

int main(void)
{
	int before = test_descriptors(getpid());
	over_any_link();
	shares = true;
	over_any_link();
	waits_past_old_wake_ups();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
