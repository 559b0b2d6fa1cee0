/*
 * A link. The rings' memory is a page for their states, then their bytes; the
 * pages are there from their first use on. A byte on the socket means nothing
 * but: look again.
 */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"

enum {
	HEAD = 4096,
	TO_WORKER = 64 << 10,
	FROM_WORKER = 256 << 10,
	WHOLE = HEAD + TO_WORKER + FROM_WORKER,
};

struct states {
	struct ring_state to_worker, from_worker;
	_Alignas(RING_LINE) struct record record;
	_Atomic uint64_t to_worker_done, from_worker_done;
};

_Static_assert(sizeof(struct states) <= HEAD, "the states fill a page at most");

void link_init(struct link *l, int fd)
{
	*l = (struct link){.fd = fd, .passed = -1};
	shm_init(&l->memory);
}

/* Closes the n that came first. */
static void drop_arrived(struct link *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		io_close(&l->arrived[i]);
	l->n_arrived -= n;
	if (l->n_arrived > 0)
		memmove(l->arrived, l->arrived + n,
			l->n_arrived * sizeof(*l->arrived));
}

void link_release(struct link *l)
{
	shm_release(&l->memory);
	drop_arrived(l, l->n_arrived);
	free(l->arrived);
	io_close(&l->passed);
	io_close(&l->fd);
	link_init(l, -1);
}

bool link_has_rings(const struct link *l)
{
	return l->in.state != NULL;
}

struct record *link_record(const struct link *l)
{
	return link_has_rings(l)
		       ? &((struct states *)(void *)l->memory.at)->record
		       : NULL;
}

static void set_rings(struct link *l, bool worker)
{
	/* A mapping begins with a page. */
	struct states *s = (struct states *)(void *)l->memory.at;
	struct ring to, from;
	ring_init(&to, &s->to_worker, l->memory.at + HEAD, TO_WORKER);
	ring_init(&from, &s->from_worker, l->memory.at + HEAD + TO_WORKER,
		  FROM_WORKER);
	l->in = worker ? to : from;
	l->out = worker ? from : to;
	l->done_in = worker ? &s->to_worker_done : &s->from_worker_done;
	l->done_out = worker ? &s->from_worker_done : &s->to_worker_done;
}

int link_share(struct link *l)
{
	int rc = shm_create(&l->memory, WHOLE);
	if (rc == 0)
		rc = shm_map(&l->memory, SHM_SHARED);
	if (rc < 0) {
		shm_release(&l->memory);
		return rc;
	}
	set_rings(l, false);
	return 0;
}

bool link_open(struct link *l)
{
	if (l->offers)
		(void)link_share(l); /* or it stays a socket */
	l->offers = false;
	return link_has_rings(l);
}

static int accept_rings(struct link *l)
{
	struct shm memory;
	int rc = shm_adopt(&memory, link_take(l));
	if (rc == 0)
		rc = memory.size == WHOLE ? shm_map(&memory, SHM_SHARED)
					  : -EPROTO;
	if (rc < 0) {
		shm_release(&memory);
		return rc;
	}
	io_close(&memory.fd); /* it is mapped */
	l->memory = memory;
	l->announced = true;
	set_rings(l, true);
	return 0;
}

/* A socket full of wake-ups wakes its reader as well as one more would. */
static int wake(const struct link *l)
{
	static const char byte = 0;
	ssize_t k = io_send(l->fd, &byte, 1);
	return k < 0 && k != -EAGAIN ? (int)k : 0;
}

/* With the first bytes, which it wakes the peer for. */
static int announce(struct link *l)
{
	static const char byte = 0;
	if (l->announced)
		return 0;
	ssize_t k = io_send_fd(l->fd, &byte, 1, l->memory.fd);
	if (k < 0)
		return (int)k;
	l->announced = true;
	io_close(&l->memory.fd); /* it is mapped */
	return 0;
}

ssize_t link_send(struct link *l, const void *bytes, size_t n)
{
	if (!link_open(l))
		return io_send(l->fd, bytes, n);
	ssize_t k = ring_write(&l->out, bytes, n);
	if (k <= 0)
		return k < 0 ? k : -EAGAIN;
	if (!l->announced) {
		int rc = announce(l);
		if (rc < 0)
			ring_take_back(&l->out, (size_t)k);
		return rc < 0 ? rc : k;
	}
	int rc = ring_wakes_reader(&l->out) ? wake(l) : 0;
	return rc < 0 ? rc : k;
}

ssize_t link_send_fd(struct link *l, const void *bytes, size_t n, int fd)
{
	return link_has_rings(l) ? -EINVAL : io_send_fd(l->fd, bytes, n, fd);
}

static ssize_t receive_socket(struct link *l, void *bytes, size_t n)
{
	if (l->passing == LINK_NOTHING)
		return io_recv(l->fd, bytes, n);
	int passed = -1;
	ssize_t k = io_recv_fd(l->fd, bytes, n, &passed);
	if (passed >= 0) {
		io_close(&l->passed);
		l->passed = passed;
	}
	return passed == -EMFILE && l->passing == LINK_RINGS ? -EMFILE : k;
}

/* A place for one that came, or was lost. A peer that passes more than it may
 * is out of its mind. */
static int keep_arrived(struct link *l, int fd)
{
	if (l->n_arrived == LINK_CREDIT)
		return -EPROTO;
	if (!l->arrived)
		l->arrived = malloc(LINK_CREDIT * sizeof(*l->arrived));
	if (!l->arrived)
		return -ENOMEM;
	l->arrived[l->n_arrived++] = fd;
	return 0;
}

/* Empties the socket of wake-ups, and takes in what was passed: -EAGAIN, or
 * -EPIPE at its end. */
static ssize_t drain(struct link *l)
{
	char some[64];
	ssize_t k;
	do {
		int fd = -1;
		k = io_recv_fd(l->fd, some, sizeof(some), &fd);
		int rc = fd == -1 ? 0 : keep_arrived(l, fd);
		if (rc < 0) {
			io_close(&fd);
			return rc;
		}
	} while (k > 0);
	return k;
}

static ssize_t receive_ring(struct link *l, void *bytes, size_t n)
{
	ssize_t k = ring_read(&l->in, bytes, n);
	ssize_t rc = 0;
	if (k == 0 && (rc = drain(l)) == -EPIPE)
		k = ring_read(&l->in, bytes, n); /* written before the end */
	if (k <= 0)
		return k < 0 ? k : rc;
	if (ring_wakes_writer(&l->in))
		(void)wake(l); /* its end shows when it is read from */
	return k;
}

ssize_t link_recv(struct link *l, void *bytes, size_t n)
{
	if (link_has_rings(l))
		return receive_ring(l, bytes, n);
	ssize_t k = receive_socket(l, bytes, n);
	if (l->passing != LINK_RINGS || k < 0)
		return k;
	/* The first word of the session decides. */
	l->passing = LINK_NOTHING;
	if (l->passed < 0)
		return k;
	int rc = accept_rings(l);
	return rc < 0 ? rc : receive_ring(l, bytes, n);
}

size_t link_credit(const struct link *l)
{
	if (!link_has_rings(l))
		return 0;
	uint64_t open = l->passed_out - atomic_load(l->done_out);
	return open < LINK_CREDIT ? LINK_CREDIT - (size_t)open : 0;
}

int link_pass(struct link *l, int fd)
{
	static const char byte = 0;
	if (!link_open(l))
		return -EINVAL;
	if (link_credit(l) == 0)
		return -EAGAIN;
	int rc = announce(l);
	ssize_t k = rc < 0 ? rc : io_send_fd(l->fd, &byte, 1, fd);
	if (k == -ETOOMANYREFS) /* of this user, in flight */
		k = -EAGAIN;
	l->stuck = k == -EAGAIN;
	if (k < 0)
		return (int)k;
	l->passed_out++;
	return 0;
}

static int claim(const struct link *l, size_t n,
		 bool (*is)(int fd, const void *of), const void *of)
{
	int rc = -ENOENT;
	for (size_t i = 0; i < n && i < l->n_arrived; i++) {
		int fd = l->arrived[i];
		if (fd == -EMFILE)
			rc = fd; /* the one that is wanted, by all we know */
		if (fd < 0 || !is(fd, of))
			continue;
		l->arrived[i] = -1;
		return fd;
	}
	return rc;
}

int link_claim(struct link *l, size_t n, bool (*is)(int fd, const void *of),
	       const void *of)
{
	if (!link_has_rings(l))
		return -ENOENT;
	if (l->n_arrived < n)
		(void)drain(l); /* an end of it shows later */
	return claim(l, n, is, of);
}

void link_done(struct link *l, size_t n)
{
	if (n == 0 || !link_has_rings(l))
		return;
	if (l->n_arrived < n)
		(void)drain(l);
	drop_arrived(l, n < l->n_arrived ? n : l->n_arrived);
	(void)atomic_fetch_add(l->done_in, n);
	if (ring_wakes_writer(&l->in))
		(void)wake(l);
}

int link_take(struct link *l)
{
	int fd = l->passed;
	l->passed = -1;
	return fd;
}

static bool has(const struct link *l, enum link_wants wants)
{
	return wants == LINK_ROOM   ? ring_writable(&l->out)
	       : wants == LINK_PASS ? !l->stuck && link_credit(l) > 0
				    : false;
}

bool link_ready(const struct link *l, enum link_wants wants)
{
	return link_has_rings(l) && (ring_readable(&l->in) || has(l, wants));
}

void link_sleeps(struct link *l, enum link_wants wants, bool sleeps)
{
	if (!link_has_rings(l))
		return;
	ring_reader_sleeps(&l->in, sleeps);
	if (wants != LINK_NONE)
		ring_writer_sleeps(&l->out, sleeps);
}

static int wait_for(struct link *l, enum link_wants wants, int ms)
{
	ring_writer_sleeps(&l->out, true);
	int rc = has(l, wants) ? 1 : io_wait(l->fd, POLLIN, ms);
	ring_writer_sleeps(&l->out, false);
	if (rc > 0 && !has(l, wants)) {
		ssize_t k = drain(l);
		if (k != -EAGAIN)
			return (int)k;
	}
	return rc;
}

int link_wait(struct link *l, enum link_wants wants, int ms)
{
	if (!link_has_rings(l))
		return io_wait(l->fd, wants ? POLLOUT : POLLIN, ms);
	if (wants != LINK_NONE)
		return wait_for(l, wants, ms);
	link_sleeps(l, wants, true);
	int rc = ring_readable(&l->in) ? 1 : io_wait(l->fd, POLLIN, ms);
	link_sleeps(l, wants, false);
	return rc;
}
