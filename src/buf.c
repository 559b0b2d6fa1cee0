/* Growable bytes: doubling while small, by a half once large. */
#include "buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 4096, BUF_KEEP = 4 << 20 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){.max = b->max};
}

int buf_reserve(struct buf *b, size_t more)
{
	if (more > b->max || b->len > b->max - more)
		return -EFBIG;
	size_t need = b->len + more;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap < BUF_KEEP ? b->cap * 2 : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	if (cap < BUF_FIRST)
		cap = BUF_FIRST;
	unsigned char *bytes = realloc(b->bytes, cap);
	if (!bytes)
		return -ENOMEM;
	b->bytes = bytes;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *bytes, size_t n)
{
	int rc = buf_reserve(b, n);
	if (rc < 0)
		return rc;
	if (n > 0)
		memcpy(b->bytes + b->len, bytes, n);
	b->len += n;
	return 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->cap > BUF_KEEP)
		buf_release(b);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_clear(b);
		return;
	}
	memmove(b->bytes, b->bytes + n, b->len - n);
	b->len -= n;
}
