/* For tests of links between processes: two ends, and a stream of known bytes
 * each way. */
#ifndef POOL_TEST_PEER_H
#define POOL_TEST_PEER_H

#include "io.h"
#include "link.h"
#include "test.h"

enum { IN_TIME = 20000 }; /* milliseconds */

static bool shares; /* memory */

/* A byte that tells its place and its sender. */
static inline unsigned char byte_at(size_t i, bool of_session)
{
	return (unsigned char)(i * 7 + i / 256 + i / 65536 + of_session);
}

struct peer {
	struct link link;
	bool is_session;
	size_t sent, received;
	pid_t pid; /* of the other one; 0: this is the child */
};

/* Two processes with a link; the child is either end. */
static inline struct peer fork_peer(bool child_is_session)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	struct peer p = {.is_session = (pid == 0) == child_is_session,
			 .pid = pid};
	int mine = pid == 0;
	io_close(&end[1 - mine]);
	link_init(&p.link, end[mine]);
	if (!p.is_session)
		p.link.passing = LINK_RINGS;
	else if (shares)
		CHECK(link_share(&p.link) == 0);
	test_seed += (uint64_t)(pid == 0) + shares;
	return p;
}

static inline ssize_t send_some(struct peer *p, size_t n)
{
	unsigned char *bytes = malloc(n);
	CHECK(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(p->sent + i, p->is_session);
	ssize_t k = link_send(&p->link, bytes, n);
	CHECK(k < 0 || (k > 0 && (size_t)k <= n));
	p->sent += k > 0 ? (size_t)k : 0;
	free(bytes);
	return k;
}

static inline ssize_t receive_some(struct peer *p, size_t n)
{
	unsigned char *bytes = malloc(n);
	CHECK(bytes);
	ssize_t k = link_recv(&p->link, bytes, n);
	CHECK(k < 0 || (k > 0 && (size_t)k <= n));
	for (ssize_t i = 0; i < k; i++)
		if (bytes[i] !=
		    byte_at(p->received + (size_t)i, !p->is_session))
			CHECK(!"the bytes that were sent");
	p->received += k > 0 ? (size_t)k : 0;
	free(bytes);
	return k;
}

/* Until so many bytes are here; asleep in between. */
static inline void receive_all(struct peer *p, size_t n)
{
	while (p->received < n) {
		ssize_t k = receive_some(p, n - p->received);
		CHECK(k > 0 || k == -EAGAIN);
		if (k < 0)
			CHECK(link_wait(&p->link, LINK_NONE, IN_TIME) == 1);
	}
}

static inline void end_peer(struct peer *p)
{
	if (p->pid == 0)
		_exit(0);
	test_wait_ok(p->pid);
	link_release(&p->link);
}

/* Both have spoken, and the session has read all there was. */
static inline void greet(struct peer *p)
{
	if (p->is_session)
		CHECK(send_some(p, 5) == 5);
	receive_all(p, 5);
	CHECK(send_some(p, 5) == 5);
	if (!p->is_session)
		receive_all(p, 10);
	CHECK(link_has_rings(&p->link) == shares);
}

#endif
