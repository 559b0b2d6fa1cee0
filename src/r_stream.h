/*
 * R objects over a channel's messages, by R_Serialize and R_Unserialize or,
 * where they are plain, in a compact form: streamed through its buffers, so
 * that an object of any size needs no second copy.
 *
 * All may jump. A jump in the middle of writing leaves an open message, which
 * chan_give_up(), or the next chan_begin(), takes back; one in the middle of
 * reading leaves a message that chan_finish() drops.
 */
#ifndef POOL_R_STREAM_H
#define POOL_R_STREAM_H

#include "blob.h"
#include "chan.h"
#include "r_util.h"

/* Asked whenever the peer keeps us waiting: 0 to go on, -errno to stop. May
 * jump, say for an interrupt. */
struct r_patience {
	int (*go_on)(void *of);
	void *of;
};

/* Writes a message; -EPIPE and the like mean a peer that is gone. `alone`,
 * unless it is NULL, becomes false where x has anything with an identity of its
 * own: an environment that is not a namespace or the like, a pointer. */
int r_stream_write(struct chan *c, const struct wire_head *h, SEXP x,
		   const struct r_patience *patience, bool *alone);

/* The same into memory. segments: may descriptors of large vectors be attached?
 */
int r_stream_write_blob(struct blob *b, const struct wire_head *h, SEXP x,
			bool segments, bool *alone);

/* An object in memory, behind what is there; and back. */
void r_stream_pack(struct buf *b, SEXP x);
SEXP r_stream_unpack(const unsigned char *bytes, size_t n);

/* What serializing x would do, without the bytes: jumps if it fails. */
void r_stream_try(SEXP x);

/* The payload of the message in front, which is left then. NULL if it is
 * empty. An R error where the payload ends early. */
SEXP r_stream_read(struct chan *c, const struct r_patience *patience);

/* The same of a list of n that is WIRE_PLAIN: its elements become those of
 * `to` from `at` on. */
void r_stream_read_list(struct chan *c, const struct r_patience *patience,
			SEXP to, size_t at, size_t n);

/* Flushes what is written. */
int r_stream_flush(struct chan *c, const struct r_patience *patience);

#endif
