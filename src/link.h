/*
 * The two streams of bytes between session and worker: rings in shared memory,
 * with a socket for wake-ups, descriptors and the news of an end; or the socket
 * alone, where memory cannot be shared (and between session and template).
 *
 * Nothing here waits but link_wait(). -EPIPE: the peer is gone, and all it sent
 * has been received.
 */
#ifndef POOL_LINK_H
#define POOL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ring.h"
#include "shm.h"

enum link_passing {
	LINK_NOTHING, /* no descriptor is expected */
	LINK_ONE,     /* one with a message; see link_take() */
	LINK_RINGS, /* at first the rings' memory, if there are to be any; until
		       something has come nothing may be sent */
};

enum { LINK_ARRIVED = 512 }; /* descriptors that may wait to be asked for */

struct link {
	int fd; /* the socket, owned; -1: none */
	enum link_passing passing;
	int passed; /* a descriptor that came, owned; -1: none */
	struct shm memory;
	bool announced; /* the peer knows of the memory */
	struct ring in, out;
	int *arrived; /* owned, in the order they came */
	size_t n_arrived, room;
};

void link_init(struct link *l, int fd);
void link_release(struct link *l);

/* Rings from here on: the peer, which must be at LINK_RINGS, is told with the
 * first wake-up. -ENOSYS and other failures leave the socket alone. */
int link_share(struct link *l);

/* What can be sent or received without waiting: a count, or -errno (-EAGAIN;
 * -EPIPE). With rings the end shows when receiving, and when waiting. */
ssize_t link_send(struct link *l, const void *bytes, size_t n);
ssize_t link_recv(struct link *l, void *bytes, size_t n);

/* Sends bytes that carry a descriptor; for a link without rings. */
ssize_t link_send_fd(struct link *l, const void *bytes, size_t n, int fd);

/* Passes a descriptor on a link with rings, ahead of the bytes that tell of it:
 * 0 or -errno (-EAGAIN: not now). */
int link_pass(struct link *l, int fd);

/* The descriptor that `is` says yes to, now the caller's; those that came
 * before it are no longer wanted. -ENOENT: it has not come, and will not. */
int link_claim(struct link *l, bool (*is)(int fd, const void *of),
	       const void *of);

/* The descriptor that came last, now the caller's; -1: none. */
int link_take(struct link *l);

bool link_has_rings(const struct link *l);

/* Has something come; or, where there is something to send, is there room? As
 * far as can be told without asking the system. */
bool link_ready(const struct link *l, bool to_send);

/* Before sleeping until the socket can be read from, and after it: the peer
 * sends a byte if there is need. In between link_ready() must be asked. */
void link_sleeps(struct link *l, bool to_send, bool sleeps);

/* Waits until a descriptor can be passed, as link_wait(). */
int link_wait_pass(struct link *l, int ms);

/* Waits until something may be there to be received, or room to send: 1; 0
 * after `ms` milliseconds; -EINTR; -EPIPE. */
int link_wait(struct link *l, bool to_send, int ms);

#endif
