/*
 * Descriptors over links with rings: they belong to messages, come ahead of the
 * bytes that tell of them, are claimed in any order, no more than agreed are on
 * the way, and none is left open. Both ends are this process unless a test says
 * otherwise.
 */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io.h"
#include "test.h"

enum { IN_TIME = 20000 }; /* milliseconds */

static struct link session, worker;
static int in[LINK_CREDIT]; /* the reading ends of what is passed */
static ino_t known[LINK_CREDIT];

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

static int none = -ENOENT; /* -EMFILE: one of the message was lost */

static void claims_none(struct link *l, size_t n, int i)
{
	CHECK(link_claim(l, n, is_known, &known[i]) == none);
}

/* One of the n of the message in front. */
static void claim(struct link *l, size_t n, int i)
{
	int fd = link_claim(l, n, is_known, &known[i]);
	char c = 0;
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(write(fd, "x", 1) == 1 && read(in[i], &c, 1) == 1 && c == 'x');
	claims_none(l, n, i);
	CHECK(is_open(i) && close(fd) == 0 && !is_open(i));
}

static void send_one(struct link *from, struct link *to)
{
	char c = 0;
	CHECK(link_send(from, "a", 1) == 1);
	CHECK(link_recv(to, &c, 1) == 1 && c == 'a');
	CHECK(link_recv(to, &c, 1) == -EAGAIN);
}

static void take_in(struct link *l)
{
	char c;
	CHECK(link_recv(l, &c, 1) == -EAGAIN);
}

/* Bytes on the socket, which are taken off it. */
static ssize_t wake_ups(const struct link *l)
{
	char some[100];
	ssize_t k = io_recv(l->fd, some, sizeof(some));
	CHECK(k > 0 || k == -EAGAIN);
	return k > 0 ? k : 0;
}

/* As many of no matter what as can be passed. */
static size_t pass_all(struct link *l)
{
	size_t n = 0;
	int rc;
	while ((rc = link_pass(l, 0)) == 0)
		n++;
	CHECK(rc == -EAGAIN);
	return n;
}

static double cpu(void)
{
	struct rusage r;
	CHECK(getrusage(RUSAGE_SELF, &r) == 0);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

/* ---- whose they are ---- */

/* Before anything was sent: the memory goes first; also where it is made for
 * that. */
static void passed_first(void)
{
	for (int offered = 0; offered < 2; offered++) {
		set_up();
		if (offered) {
			shm_release(&session.memory);
			link_init(&session, session.fd);
			session.offers = true;
			CHECK(link_credit(&session) == 0);
			CHECK(link_open(&session));
		}
		CHECK(link_credit(&session) == LINK_CREDIT);
		pass(&session, 0);
		pass(&session, 1);
		take_in(&worker);
		CHECK(link_has_rings(&worker) && link_take(&worker) == -1);
		send_one(&session, &worker);
		claim(&worker, 2, 0);
		claim(&worker, 2, 1);
		drop(0);
		drop(1);
		tear_down();
	}
}

/* In any order; the others are open until the message is done with, or the link
 * is released. */
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
		claim(to, 6, 3);
		claim(to, 6, 0);
		claim(to, 6, 5);
		for (int i = 0; i < 6; i++)
			CHECK(is_open(i) == (i % 3 == 1 || i == 2));
		claims_none(to, 0, 4);
		claims_none(to, 4, 4);
		if (way >= 2)
			CHECK(link_recv(to, c, 2) == 2);
		take_in(to);
		claim(to, 6, 4);
		CHECK(is_open(1) && is_open(2));
		link_done(to, 6);
		for (int i = 0; i < 6; i++) {
			claims_none(to, 6, i);
			CHECK(!is_open(i));
			drop(i);
		}
	}
	for (int i = 0; i < 4; i++)
		pass(ends[i % 2], i);
	take_in(&worker); /* taken in, or not */
	tear_down();
	for (int i = 0; i < 4; i++) {
		CHECK(!is_open(i));
		drop(i);
	}
}

/* Of the message in front, not of those behind it, whatever they are. */
static void of_their_message(void)
{
	static const size_t sizes[] = {3, 1, 0, 4, 2};
	for (int all_here = 0; all_here < 2; all_here++) {
		set_up();
		send_one(&session, &worker);
		for (int i = 0; i < 10; i++)
			pass(&session, i);
		if (all_here)
			take_in(&worker);
		size_t at = 0;
		for (size_t m = 0; m < 5; at += sizes[m++]) {
			size_t end = at + sizes[m];
			for (size_t i = 0; i < 10; i++)
				if (i < at || i >= end)
					claims_none(&worker, sizes[m], (int)i);
			for (size_t i = end; i-- > at;)
				if (i % 3 > 0)
					claim(&worker, sizes[m], (int)i);
			for (size_t i = 0; i < 10; i++)
				CHECK(is_open((int)i) ==
				      (i >= end || (i >= at && i % 3 == 0)));
			link_done(&worker, sizes[m]);
			for (size_t i = 0; i < 10; i++)
				CHECK(is_open((int)i) == (i >= end));
		}
		CHECK(link_credit(&session) == LINK_CREDIT);
		for (int i = 0; i < 10; i++)
			drop(i);
		tear_down();
	}
}

/* The same one with two messages: each has its own. */
static void twice_the_same(void)
{
	set_up();
	send_one(&session, &worker);
	int p[2];
	struct stat st;
	CHECK(pipe(p) == 0 && fstat(p[1], &st) == 0);
	CHECK(link_pass(&session, p[1]) == 0);
	CHECK(link_pass(&session, p[1]) == 0);
	CHECK(close(p[1]) == 0);
	for (int i = 0; i < 2; i++) {
		int fd = link_claim(&worker, 1, is_known, &st.st_ino);
		CHECK(fd >= 0 && io_wait(p[0], POLLIN, 0) == 0);
		CHECK(link_claim(&worker, 1, is_known, &st.st_ino) == -ENOENT);
		CHECK(close(fd) == 0);
		link_done(&worker, 1);
	}
	char c;
	CHECK(read(p[0], &c, 1) == 0 && close(p[0]) == 0);
	tear_down();
}

/* One that the receiver has no descriptor for is lost, and nothing else: it
 * keeps its place. */
static void lost(void)
{
	struct rlimit old, few;
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 3;
	set_up();
	send_one(&session, &worker);
	pass(&session, 0);
	pass(&session, 1);
	take_in(&worker);
	pass(&session, 2);
	pass(&session, 3);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	take_in(&worker);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(is_open(0) && is_open(1) && !is_open(2) && !is_open(3));
	pass(&session, 4);
	pass(&session, 5);
	/* Of the messages 0 to 2 and 3 to 4, and one behind. */
	none = -EMFILE;
	claims_none(&worker, 3, 2);
	claims_none(&worker, 3, 4);
	claim(&worker, 3, 1);
	claim(&worker, 3, 0);
	link_done(&worker, 3);
	claims_none(&worker, 2, 3);
	claims_none(&worker, 2, 5);
	claim(&worker, 2, 4);
	CHECK(link_credit(&session) == LINK_CREDIT - 3);
	link_done(&worker, 2);
	none = -ENOENT;
	claim(&worker, 1, 5);
	link_done(&worker, 1);
	CHECK(link_credit(&session) == LINK_CREDIT);
	for (int i = 0; i < 6; i++)
		drop(i);
	tear_down();
}

/* ---- how many there are ---- */

/* Given back by nothing but the end of their message; each way its own. */
static void credit(void)
{
	set_up();
	send_one(&session, &worker);
	struct link *ends[] = {&session, &worker};
	int before = test_descriptors(getpid());
	for (int way = 0; way < 2; way++) {
		struct link *from = ends[way], *to = ends[1 - way];
		for (size_t i = 0; i < LINK_CREDIT; i++) {
			CHECK(link_credit(from) == LINK_CREDIT - i);
			pass(from, (int)i);
		}
		CHECK(link_credit(from) == 0);
		CHECK(link_pass(from, 0) == -EAGAIN);
		CHECK(!link_ready(from, LINK_PASS));
		send_one(from, to); /* which does not take any */
		claim(to, 5, 0);
		claim(to, 5, 4);
		CHECK(link_pass(from, 0) == -EAGAIN);
		link_done(to, 0);
		CHECK(link_pass(from, 0) == -EAGAIN);
		CHECK(link_credit(to) == LINK_CREDIT);
		link_done(to, 5);
		CHECK(link_credit(from) == 5 && link_ready(from, LINK_PASS));
		CHECK(pass_all(from) == 5 && link_credit(from) == 0);
		claim(to, LINK_CREDIT - 5, LINK_CREDIT - 1);
		/* Not one of them claimed. */
		link_done(to, LINK_CREDIT - 5);
		for (int i = 0; i < LINK_CREDIT; i++) {
			CHECK(!is_open(i));
			drop(i);
		}
		link_done(to, 5);
		CHECK(link_credit(from) == LINK_CREDIT);
		CHECK(test_descriptors(getpid()) == before);
	}
	size_t held = 0;
	for (int i = 0; i < 20000; i++) {
		if (test_below(2)) {
			int rc = link_pass(&session, 0);
			CHECK(rc == (held < LINK_CREDIT ? 0 : -EAGAIN));
			held += rc == 0;
		} else {
			size_t n = test_below(held + 1);
			n = test_below(10) ? n % 3 : n;
			link_done(&worker, n);
			held -= n;
		}
		CHECK(link_credit(&session) == LINK_CREDIT - held);
	}
	tear_down();
}

/* A sender that sleeps for it is woken when some is given back, and by nothing
 * before. */
static void wakes(void)
{
	set_up();
	send_one(&session, &worker);
	for (int i = 0; i < LINK_CREDIT; i++)
		CHECK(link_pass(&session, 0) == 0);
	take_in(&worker);
	link_done(&worker, 1); /* nobody sleeps */
	CHECK(wake_ups(&session) == 0 && pass_all(&session) == 1);
	link_sleeps(&session, LINK_NONE, true); /* for something to come */
	link_done(&worker, 1);
	CHECK(wake_ups(&session) == 0 && pass_all(&session) == 1);
	link_sleeps(&session, LINK_NONE, false);
	for (int i = 0; i < 3; i++) {
		link_sleeps(&session, LINK_PASS, true);
		CHECK(!link_ready(&session, LINK_PASS));
		take_in(&worker);
		int fd = link_claim(&worker, 1, is_known, &known[0]);
		CHECK(fd == -ENOENT);
		link_done(&worker, 0);
		CHECK(wake_ups(&session) == 0);
		link_done(&worker, 2);
		CHECK(link_ready(&session, LINK_PASS));
		link_done(&worker, 1);
		CHECK(wake_ups(&session) == 1); /* once */
		link_sleeps(&session, LINK_PASS, false);
		CHECK(pass_all(&session) == 3);
		link_sleeps(&session, LINK_PASS, true);
		link_sleeps(&session, LINK_PASS, false);
		link_done(&worker, 1);
		CHECK(wake_ups(&session) == 0 && pass_all(&session) == 1);
	}
	tear_down();
}

/* Another process really sleeps until then, and no wake-up is lost. */
static void wakes_a_process(void)
{
	enum { ROUNDS = 2000 };
	set_up();
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		io_close(&worker.fd);
		double before = cpu(), t = test_now();
		CHECK(pass_all(&session) == LINK_CREDIT);
		CHECK(link_wait(&session, LINK_PASS, 50) == 0);
		while (link_credit(&session) == 0)
			CHECK(link_wait(&session, LINK_PASS, IN_TIME) == 1);
		CHECK(test_now() - t > 0.2 && cpu() - before < 0.1);
		for (size_t n = 0; n < ROUNDS; n++)
			while (link_pass(&session, 0) == -EAGAIN)
				CHECK(link_wait(&session, LINK_PASS, IN_TIME) ==
				      1);
		_exit(0);
	}
	io_close(&session.fd);
	CHECK(link_wait(&worker, LINK_NONE, IN_TIME) == 1);
	take_in(&worker);
	test_sleep(0.3);
	for (size_t n = 0; n < ROUNDS; n++) {
		/* What is not there yet is waited for. */
		while (worker.n_arrived == 0) {
			CHECK(io_wait(worker.fd, POLLIN, IN_TIME) == 1);
			char c;
			ssize_t k = link_recv(&worker, &c, 1);
			CHECK(k == -EAGAIN);
		}
		link_done(&worker, 1);
		if (test_below(20) == 0)
			test_sleep(1e-4);
	}
	test_wait_ok(pid);
	tear_down();
}

/* A peer that passes more than it may. */
static void too_many(void)
{
	set_up();
	send_one(&session, &worker);
	int before = test_descriptors(getpid());
	for (int i = 0; i < LINK_CREDIT; i++)
		CHECK(link_pass(&session, 0) == 0);
	take_in(&worker);
	CHECK(io_send_fd(session.fd, "a", 1, 0) == 1);
	char c;
	CHECK(link_recv(&worker, &c, 1) == -EPROTO);
	CHECK(test_descriptors(getpid()) == before + LINK_CREDIT);
	tear_down();
	CHECK(test_descriptors(getpid()) == before - 2);
}

/* What the socket takes, and no more; the rings are not touched by it. */
static void full(void)
{
	set_up();
	send_one(&session, &worker);
	int small = 20000;
	CHECK(setsockopt(session.fd, SOL_SOCKET, SO_SNDBUF, &small,
			 sizeof(small)) == 0);
	int before = test_descriptors(getpid());
	size_t n = pass_all(&session);
	CHECK(n > 10 && n < LINK_CREDIT);
	CHECK(link_credit(&session) == LINK_CREDIT - n);
	CHECK(link_send(&session, "a", 1) == 1);
	char c;
	CHECK(link_recv(&worker, &c, 1) == 1 && c == 'a');
	take_in(&worker);
	CHECK(test_descriptors(getpid()) == before + (int)n);
	while (link_credit(&session) > 0) {
		CHECK(pass_all(&session) > 0);
		take_in(&worker);
	}
	link_done(&worker, LINK_CREDIT);
	CHECK(test_descriptors(getpid()) == before);
	(void)pass_all(&session);
	double t = test_now(); /* asleep, though there is credit */
	CHECK(link_wait(&session, LINK_PASS, 100) == 0);
	CHECK(test_now() - t > 0.09);
	tear_down();
}

/* Who waits for a peer that is gone is told. */
static void nobody_there(void)
{
	set_up();
	send_one(&session, &worker);
	CHECK(pass_all(&session) == LINK_CREDIT);
	link_release(&worker);
	CHECK(link_wait(&session, LINK_PASS, IN_TIME) == -EPIPE);
	tear_down();
	set_up();
	send_one(&session, &worker);
	link_release(&worker);
	CHECK(link_pass(&session, 0) == -EPIPE);
	CHECK(link_credit(&session) == LINK_CREDIT); /* it did not go */
	tear_down();
}

/* More in flight than a user may have: not now, and it does not count. */
static void in_flight(void)
{
	enum { USER = 61234, MOST = 30 };
	if (getuid() != 0) /* it takes another user: whose, only root can say */
		return;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		set_up();
		send_one(&session, &worker);
		CHECK(setgid(USER) == 0 && setuid(USER) == 0);
		struct rlimit few;
		CHECK(getrlimit(RLIMIT_NOFILE, &few) == 0);
		few.rlim_cur = MOST;
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		size_t n = pass_all(&session);
		CHECK(n >= MOST && n < MOST + 5);
		CHECK(link_credit(&session) == LINK_CREDIT - n);
		double t = test_now(); /* asleep, though there is credit */
		CHECK(link_wait(&session, LINK_PASS, 100) == 0);
		CHECK(test_now() - t > 0.09);
		take_in(&worker);
		CHECK(link_pass(&session, 0) == 0);
		link_done(&worker, n);
		CHECK(link_credit(&session) == LINK_CREDIT - 1);
		_exit(0);
	}
	test_wait_ok(pid);
}

/* ---- ends ---- */

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
			claim(&worker, 1, 0);
		CHECK(link_recv(&worker, &c, 1) == 1 && c == 'b');
		CHECK(link_recv(&worker, &c, 1) == -EPIPE);
		if (late)
			claim(&worker, 1, 0);
		link_done(&worker, 1); /* nobody to tell */
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
	CHECK(link_credit(&session) == 0);
	CHECK(link_pass(&session, 0) == -EINVAL);
	CHECK(link_send(&session, "a", 1) == 1);
	claims_none(&worker, 1, 0);
	link_done(&worker, 1);
	CHECK(link_recv(&worker, &c, 1) == 1 && c == 'a');
	tear_down();
}

int main(void)
{
	int before = test_descriptors(getpid());
	passed_first();
	claimed();
	of_their_message();
	twice_the_same();
	lost();
	credit();
	wakes();
	wakes_a_process();
	too_many();
	full();
	nobody_there();
	in_flight();
	ends();
	without_rings();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
