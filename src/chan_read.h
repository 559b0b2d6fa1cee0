/*
 * Reading one peer's messages: chan_fill() takes what has arrived, chan_head()
 * looks for a message, chan_pull() takes payload bytes, chan_finish() leaves
 * the message. Errors are those of chan.h.
 */
#ifndef POOL_CHAN_READ_H
#define POOL_CHAN_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "chan.h"

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
