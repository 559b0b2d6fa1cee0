/*
 * One peer's messages over a link.
 *
 * Nothing here waits except chan_pull() (chan_read.h) and chan_relieve(), and
 * these for a slice of at most CHAN_SLICE milliseconds, after which they return
 * -EAGAIN so that the caller can look at its signals and call again. -EPIPE:
 * the peer is gone. -EPROTO: it sent what no peer of ours sends.
 *
 * Writing: chan_begin(), chan_put()..., chan_end(), or chan_give_up(); the
 * bytes leave with chan_flush(). A long message is sent while it is written:
 * when chan_backlog() says so, call chan_relieve() until it returns 0.
 */
#ifndef POOL_CHAN_H
#define POOL_CHAN_H

#include <stdbool.h>
#include <stddef.h>

#include "blob.h"
#include "buf.h"
#include "link.h"
#include "wire.h"

enum { CHAN_SLICE = 100, CHAN_CHUNK = 1 << 20 };

struct chan {
	struct link link;

	struct buf out;		    /* bytes to send, after the blobs */
	size_t out_at;		    /* sent of them */
	struct blob **queue;	    /* whole messages shared with others */
	size_t queued, queue_room;  /* how many; room for */
	size_t queue_at;	    /* sent of the first */
	size_t queue_passed;	    /* descriptors passed of the first */
	struct wire_writer writing; /* the open message */
	struct blob *with;	    /* descriptors for the next one */

	struct buf in; /* received bytes */
	size_t in_at;  /* consumed of them */
	bool has_head; /* a message is being read */
	struct wire_head head;
	size_t left; /* of its current fragment */
	bool last;   /* that is the last one */
	bool failed; /* its writer gave up */
};

void chan_init(struct chan *c, int fd);
void chan_release(struct chan *c);

int chan_begin(struct chan *c, const struct wire_head *h);
int chan_put(struct chan *c, const void *bytes, size_t n);
void chan_end(struct chan *c);
int chan_give_up(struct chan *c);

/* May descriptors go with the next message? How many? */
size_t chan_credit(struct chan *c);

/* One of those; taken over. */
int chan_attach(struct chan *c, int fd);
void chan_detach(struct chan *c); /* none of them */

/* As chan_begin(), with what is attached, which chan_begin() would drop.
 * -EAGAIN: it cannot be passed now. */
int chan_begin_with(struct chan *c, const struct wire_head *h);

/* A message without payload. */
int chan_say(struct chan *c, const struct wire_head *h);

/* A message without payload that carries a descriptor; sent at once, so
 * nothing may wait to be sent before it (-EAGAIN). */
int chan_say_fd(struct chan *c, const struct wire_head *h, int fd);

/* A whole message that others send too; takes a reference of its own. Its
 * descriptors need a link with rings. */
int chan_queue(struct chan *c, struct blob *message);

bool chan_pending(const struct chan *c); /* is there anything to send? */
enum link_wants chan_wants(const struct chan *c); /* what for, if so */
int chan_flush(struct chan *c); /* 0: all sent; -EAGAIN: not yet */
bool chan_backlog(const struct chan *c);
int chan_relieve(struct chan *c);

#endif
