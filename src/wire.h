/*
 * The wire format, pure: a message is a head of WIRE_HEAD bytes, then its
 * payload in fragments. A fragment is a 32-bit word and that many bytes; the
 * word's high bit marks the last one, and WIRE_ABORT ends a payload whose
 * writer gave up. So a payload of unknown length can be streamed, and its
 * failure in the middle leaves the stream whole. Numbers are in the machine's
 * byte order: both ends are processes of one machine.
 */
#ifndef POOL_WIRE_H
#define POOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum wire_kind {
	WIRE_READY = 1, /* template: STATE `first`, or 0; `extra`: errno */
	WIRE_STATE,	/* to template: payload, the state of new nodes */
	WIRE_FORK,	/* to template: worker `first`, with its descriptor */
	WIRE_KILL, /* to template: worker `first`; `extra`: its group too */
	WIRE_INTERRUPT, /* to template: worker `first`, if it is at `call` */
	WIRE_BYE,	/* to template: the pool is closed */
	WIRE_STARTED,	/* template: worker `first` has pid or -errno `extra` */
	WIRE_DIED,	/* template: worker `first` left with status `extra` */
	WIRE_CALL,	/* to worker: payload, function and constants */
	WIRE_RANGE,	/* to worker: payload, elements from `first`, `count` */
	WIRE_STAGE,	/* to worker: elements to be claimed, as staged */
	WIRE_END,	/* to worker: the call is over */
	WIRE_RESULT, /* worker: payload, results of `count` elements, fewer */
		     /* than told where it was to stop; 0: no more of */
		     /* what is staged; `extra`: nanoseconds */
	WIRE_TOLD, /* worker: payload, of element `first`, before its result */
	WIRE_KINDS
};

enum {
	WIRE_LAST = 1,	/* RANGE, STAGE: drop the call after it */
	WIRE_MIXED = 2, /* RESULT: errors and conditions among it */
	WIRE_QUIET = 4, /* RANGE: an answer without results will do */
	WIRE_AWAKE = 8, /* RANGE, STAGE: there is a core to wait for more on */
	WIRE_FAILED = 16,  /* RESULT: an error, where QUIET leaves it out */
	WIRE_HEARS = 16,   /* RANGE: something may be told before the result */
	WIRE_PLAIN = 32,   /* the payload is in the compact form */
	WIRE_KEEP = 64,	   /* RANGE, STAGE, END: keep the call's function */
	WIRE_FORGOT = 128, /* RESULT: it is not kept after all */
	WIRE_PASSED = 256, /* times the descriptors that come with it */
};

enum { WIRE_MOST_PASSED = 64 };

struct wire_head {
	uint16_t kind;
	uint16_t flags;
	uint32_t call;
	uint64_t first;
	uint64_t count;
	int64_t extra;
};

/* How many descriptors come with a message. */
static inline size_t wire_passed(const struct wire_head *h)
{
	return h->flags / WIRE_PASSED;
}

#define WIRE_HEAD ((size_t)36)
#define WIRE_WORD ((size_t)4)
#define WIRE_END_BIT UINT32_C(0x80000000)
#define WIRE_ABORT UINT32_C(0xffffffff)
#define WIRE_FRAGMENT ((size_t)1 << 30) /* most bytes of one fragment */

void wire_pack(const struct wire_head *h, unsigned char out[WIRE_HEAD]);

/* -EPROTO unless the bytes are a head. */
int wire_unpack(const unsigned char in[WIRE_HEAD], struct wire_head *h);

/* A fragment's word: its length, whether it is the last; -ECANCELED for
 * WIRE_ABORT, -EPROTO for a length no writer makes. */
int wire_word(const unsigned char in[WIRE_WORD], size_t *len, bool *last);

/*
 * Writes one message behind a buffer's content. Between wire_begin() and
 * wire_end() the bytes from `start` belong to it. A buffer that is to be sent
 * before the message is complete is closed by wire_break(), may then be
 * emptied, and goes on with wire_resume().
 */
struct wire_writer {
	struct buf *to;
	size_t start;	/* of the message, while none of it was sent */
	size_t word;	/* offset of the open fragment's word, or SIZE_MAX */
	bool open;	/* between begin and end */
	bool broken_up; /* part of it was sent */
	bool stays;	/* descriptors of it were: it cannot be taken back */
};

int wire_begin(struct wire_writer *w, struct buf *to,
	       const struct wire_head *h);
int wire_put(struct wire_writer *w, const void *bytes, size_t n);
void wire_break(struct wire_writer *w);
int wire_resume(struct wire_writer *w);
void wire_end(struct wire_writer *w);

/* Takes the message back, or marks it as aborted if part of it was sent. */
int wire_give_up(struct wire_writer *w);

#endif
