/*
 * Links between processes, with rings and without: any traffic both ways, in
 * pieces of any size, asleep whenever there is nothing to do.
 */
#include <poll.h>

#include "spin.h"
#include "test_peer.h"

/* Both at a time, as a poll over many links does it. */
static void sleep_for_both(struct link *l)
{
	struct pollfd f = {.fd = l->fd, .events = POLLIN};
	if (!link_has_rings(l))
		f.events |= POLLOUT;
	link_sleeps(l, LINK_ROOM, true);
	int n = poll(&f, 1, link_ready(l, LINK_ROOM) ? 0 : IN_TIME);
	CHECK(n == 1 || link_ready(l, LINK_ROOM));
	link_sleeps(l, LINK_ROOM, false);
}

/* Pieces of any size, both ways; each waits for what it can wait for. */
static void traffic(size_t total, size_t most)
{
	struct peer p = fork_peer(false);
	greet(&p);
	bool idle = false;
	while (p.sent < total || p.received < total) {
		size_t sent = p.sent, received = p.received;
		size_t n = 1 + test_below(most);
		size_t left = total - p.sent;
		ssize_t k = 0;
		if (left > 0 && (idle || test_below(2)))
			k = send_some(&p, n < left ? n : left);
		CHECK(k >= 0 || k == -EAGAIN);
		k = 0;
		if (p.received < total && (idle || test_below(2)))
			k = receive_some(&p, 1 + test_below(most));
		CHECK(k >= 0 || k == -EAGAIN);
		bool still = p.sent == sent && p.received == received;
		if (idle && still && p.received == total)
			CHECK(link_wait(&p.link, LINK_ROOM, IN_TIME) == 1);
		else if (idle && still && p.sent == total)
			CHECK(link_wait(&p.link, LINK_NONE, IN_TIME) == 1);
		else if (idle && still)
			sleep_for_both(&p.link);
		idle = still; /* everything is tried before a sleep */
		if (test_below(100) == 0)
			test_sleep((double)test_below(300) * 1e-6);
	}
	CHECK(p.sent == total && p.received == total);
	if (p.pid == 0)
		end_peer(&p);
	test_wait_ok(p.pid);
	CHECK(receive_some(&p, 1) == -EPIPE);
	link_release(&p.link);
}

static bool is_there(void *of)
{
	return link_ready(of, LINK_NONE);
}

static void will_sleep(void *of, bool sleeps)
{
	link_sleeps(of, LINK_NONE, sleeps);
}

/* Question and answer, staying awake or not. */
static void in_turns(int rounds)
{
	struct peer p = fork_peer(false);
	const struct spin_look look = {is_there, will_sleep, &p.link};
	struct pollfd f = {.fd = p.link.fd, .events = POLLIN};
	struct spin s = {0};
	spin_init(&s);
	greet(&p);
	for (int i = 0; i < rounds; i++) {
		bool may = i % 200 < 100;
		if (p.is_session)
			CHECK(send_some(&p, 10) == 10);
		size_t want = p.received + 10;
		while (p.received < want) {
			ssize_t k = receive_some(&p, want - p.received);
			CHECK(k > 0 || k == -EAGAIN);
			if (k > 0)
				continue;
			int rc = spin_poll(&s, &f, 1, IN_TIME, may, &look);
			CHECK(rc == 1 || (rc == 0 && is_there(&p.link)));
		}
		if (!p.is_session)
			CHECK(send_some(&p, 10) == 10);
	}
	end_peer(&p);
}

static void over_any_link(void)
{
	in_turns(4000);
	traffic(100000, 10);
	traffic(4 << 20, 1000);
	traffic(24 << 20, 300000);
}

int main(void)
{
	int before = test_descriptors(getpid());
	over_any_link();
	shares = true;
	over_any_link();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
