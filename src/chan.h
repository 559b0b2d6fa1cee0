/*
 * One peer's messages over a link.
 *
 * Nothing here waits except chan_pull() and chan_relieve(), and these for a
 * slice of at most CHAN_SLICE milliseconds, after which they return -EAGAIN so
 * that the caller can look at its signals and call again. -EPIPE: the peer is
 * gone. -EPROTO: it sent what no peer of ours sends.
 *
 * Writing: chan_begin(), chan_put()..., chan_end(), or chan_give_up(); the
 * bytes leave with chan_flush(). A long message is sent while it is written:
 * when chan_backlog() says so, call chan_relieve() until it returns 0.
 * Reading: chan_fill() takes what has arrived, chan_head() looks for a message,
 * chan_pull() takes payload bytes, chan_finish() leaves the message.
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

/* 0: something came. */
int chan_fill(struct chan *c);

/* Of a channel whose link is at LINK_ONE: the descriptor that came with the
 * message in front, now the caller's, or -1. What is received at a time ends
 * with the message of a descriptor, so there is one at most if all messages are
 * looked at before the next chan_fill(). */
int chan_take_fd(struct chan *c);

/* 0: a message is in front; -EAGAIN: not yet. */
int chan_head(struct chan *c, struct wire_head *h);

/* Is the message in front in the buffer, whole and not given up (but for one
 * that `failed` from the start)? Is it, or is it a long one, to be read while
 * the rest comes? How many bytes are there? */
bool chan_whole(const struct chan *c);
bool chan_readable(const struct chan *c);
size_t chan_buffered(const struct chan *c);

/* Payload bytes: goes on at *got until that is n. -ENODATA past the payload's
 * end, -ECANCELED where its writer gave up. */
int chan_pull(struct chan *c, void *bytes, size_t n, size_t *got);

/* Payload bytes that are here, and can be pulled at once; there may be more. */
size_t chan_ahead(const struct chan *c);

/* Drops the rest of the message; -EAGAIN until it has all arrived. */
int chan_finish(struct chan *c);

#endif
