/*
 * R_Serialize and R_Unserialize over a channel's messages: streamed through its
 * buffers, so that an object of any size needs no second copy.
 *
 * All may jump. A jump in the middle of writing leaves an open message, which
 * chan_give_up(), or the next chan_begin(), takes back; one in the middle of
 * reading leaves a message that chan_finish() drops.
 */
#ifndef POOL_R_STREAM_H
#define POOL_R_STREAM_H

#include "buf.h"
#include "chan.h"
#include "r_util.h"

/* Asked whenever the peer keeps us waiting: 0 to go on, -errno to stop. May
 * jump, say for an interrupt. */
struct r_patience {
	int (*go_on)(void *of);
	void *of;
};

/* Writes a message; -EPIPE and the like mean a peer that is gone. */
int r_stream_write(struct chan *c, const struct wire_head *h, SEXP x,
		   const struct r_patience *patience);

/* The same into memory. */
int r_stream_write_blob(struct blob *b, const struct wire_head *h, SEXP x);

/* What serializing x would do, without the bytes: jumps if it fails. */
void r_stream_try(SEXP x);

/* The payload of the message in front, which is left then. NULL if it is
 * empty. An R error where the payload ends early. */
SEXP r_stream_read(struct chan *c, const struct r_patience *patience);

/* Flushes what is written. */
int r_stream_flush(struct chan *c, const struct r_patience *patience);

#endif
