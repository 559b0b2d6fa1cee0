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

#include "record.h"
#include "ring.h"
#include "shm.h"

enum link_passing {
	LINK_NOTHING, /* no descriptor is expected */
	LINK_ONE,     /* one with a message; see link_take() */
	LINK_RINGS, /* at first the rings' memory, if there are to be any; until
		       something has come nothing may be sent */
};

enum { LINK_CREDIT = 128 }; /* descriptors passed and not yet done with */

/* What one waits for besides something to receive. */
enum link_wants { LINK_NONE, LINK_ROOM, LINK_PASS };

struct link {
	int fd; /* the socket, owned; -1: none */
	enum link_passing passing;
	int passed; /* a descriptor that came, owned; -1: none */
	struct shm memory;
	bool announced; /* the peer knows of the memory */
	bool offers;	/* rings, with the first bytes, if they can be had */
	struct ring in, out;
	int *arrived; /* owned, in the order they came; -1: claimed;
			-EMFILE: lost */
	size_t n_arrived;
	uint64_t passed_out;
	bool stuck; /* the system did not take the last one: in a while */
	_Atomic uint64_t *done_in, *done_out; /* how many were done with */
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

/* Rings now, if they are offered and nothing has been sent: are there any? */
bool link_open(struct link *l);

/*
 * Descriptors, on a link with rings, belong to messages: they are passed in the
 * order of these, ahead of their bytes. The receiver claims what it wants of
 * the n that came with the message in front, and is then done with all of them.
 */
size_t link_credit(const struct link *l); /* how many can be passed now */
int link_pass(struct link *l, int fd);	  /* -EAGAIN: not now */

/* The one that `is` says yes to, now the caller's. -ENOENT: there is none;
 * -EMFILE: nor was there room for all. */
int link_claim(struct link *l, size_t n, bool (*is)(int fd, const void *of),
	       const void *of);
void link_done(struct link *l, size_t n);

/* The descriptor that came last, now the caller's; -1: none. */
int link_take(struct link *l);

bool link_has_rings(const struct link *l);

/* What the worker of a link with rings is at; NULL without. */
struct record *link_record(const struct link *l);

/* Has something come, or is there what is wanted? As far as can be told without
 * asking the system. */
bool link_ready(const struct link *l, enum link_wants wants);

/* Before sleeping until the socket can be read from, and after it: the peer
 * sends a byte if there is need. In between link_ready() must be asked. */
void link_sleeps(struct link *l, enum link_wants wants, bool sleeps);

/* Waits until something may be there to be received or, where something is
 * wanted, until that may be there: 1; 0 after `ms` milliseconds; -EINTR;
 * -EPIPE.
 */
int link_wait(struct link *l, enum link_wants wants, int ms);

#endif
