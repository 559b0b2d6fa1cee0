/*
 * Growable bytes.
 *
 * A struct buf is owned by whoever initialised it and freed by buf_release().
 * Every function that can grow it returns 0, -ENOMEM or -EFBIG (past `max`),
 * and leaves the content as it was on failure.
 */
#ifndef POOL_BUF_H
#define POOL_BUF_H

#include <stddef.h>

struct buf {
	unsigned char *bytes;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* hard cap of len */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);

/* Room for `more` bytes behind the content. */
int buf_reserve(struct buf *b, size_t more);
int buf_append(struct buf *b, const void *bytes, size_t n);

/* Empties it; memory past what everyday use needs goes back. */
void buf_clear(struct buf *b);

/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

#endif
