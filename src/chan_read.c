/*
 * What a peer has sent: incoming fragments.
 */
#include "chan_read.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

enum {
	FILL = 64 << 10,	/* bytes asked of the socket at a time */
	DIRECT_FROM = 64 << 10, /* from here on, read into the destination */
};

static size_t unread(const struct chan *c)
{
	return c->in.len - c->in_at;
}

int chan_fill(struct chan *c)
{
	if (c->in_at > 0) {
		buf_consume(&c->in, c->in_at);
		c->in_at = 0;
	}
	int rc = buf_reserve(&c->in, FILL);
	if (rc < 0)
		return rc;
	unsigned char *to = c->in.bytes + c->in.len;
	size_t room = c->in.cap - c->in.len;
	ssize_t k = link_recv(&c->link, to, room);
	if (k < 0)
		return (int)k;
	c->in.len += (size_t)k;
	return 0;
}

int chan_take_fd(struct chan *c)
{
	return link_take(&c->link);
}

/* Takes the next fragment's word, if it is here. */
static int next_fragment(struct chan *c)
{
	if (unread(c) < WIRE_WORD)
		return -EAGAIN;
	size_t len = 0;
	bool last = true;
	int rc = wire_word(c->in.bytes + c->in_at, &len, &last);
	if (rc < 0 && rc != -ECANCELED)
		return rc; /* the word stays: it is wrong again next time */
	c->in_at += WIRE_WORD;
	c->left = len;
	c->last = last;
	c->failed = rc == -ECANCELED;
	return 0;
}

int chan_head(struct chan *c, struct wire_head *h)
{
	if (!c->has_head) {
		if (unread(c) < WIRE_HEAD + WIRE_WORD)
			return -EAGAIN;
		int rc = wire_unpack(c->in.bytes + c->in_at, &c->head);
		if (rc < 0)
			return rc;
		c->in_at += WIRE_HEAD;
		c->failed = false;
		rc = next_fragment(c);
		if (rc < 0) {
			c->in_at -= WIRE_HEAD; /* as wrong next time */
			return rc;
		}
		c->has_head = true;
	}
	*h = c->head;
	return 0;
}

bool chan_whole(const struct chan *c)
{
	if (!c->has_head)
		return false;
	size_t at = c->in_at, left = c->left;
	bool last = c->last;
	while (!last && c->in.len - at >= left + WIRE_WORD) {
		at += left;
		if (wire_word(c->in.bytes + at, &left, &last) < 0)
			return false;
		at += WIRE_WORD;
	}
	return last && c->in.len - at >= left;
}

bool chan_readable(const struct chan *c)
{
	return c->has_head &&
	       (!c->last || unread(c) >= CHAN_CHUNK || unread(c) >= c->left);
}

size_t chan_buffered(const struct chan *c)
{
	return unread(c);
}

static int more(struct chan *c)
{
	int rc = chan_fill(c);
	if (rc != -EAGAIN)
		return rc;
	rc = link_wait(&c->link, LINK_NONE, CHAN_SLICE);
	if (rc < 0)
		return rc == -EINTR ? -EAGAIN : rc;
	return rc == 0 ? -EAGAIN : chan_fill(c);
}

/* Bytes of the current fragment into `to`: from the buffer, or straight from
 * the socket where that saves a copy. */
static ssize_t take(struct chan *c, unsigned char *to, size_t n)
{
	if (n > c->left)
		n = c->left;
	if (unread(c) == 0 && n >= DIRECT_FROM) {
		ssize_t k = link_recv(&c->link, to, n);
		if (k != -EAGAIN)
			return k;
	}
	if (unread(c) == 0) {
		int rc = more(c);
		if (rc < 0)
			return rc;
	}
	if (n > unread(c))
		n = unread(c);
	memcpy(to, c->in.bytes + c->in_at, n);
	c->in_at += n;
	return (ssize_t)n;
}

size_t chan_ahead(const struct chan *c)
{
	size_t here = unread(c) < c->left ? unread(c) : c->left;
	return c->failed ? 0 : here;
}

int chan_pull(struct chan *c, void *bytes, size_t n, size_t *got)
{
	while (*got < n) {
		if (c->failed)
			return -ECANCELED;
		if (c->left == 0) {
			if (c->last)
				return -ENODATA;
			int rc = next_fragment(c);
			if (rc == -EAGAIN)
				rc = more(c);
			if (rc < 0)
				return rc;
			continue;
		}
		ssize_t k = take(c, (unsigned char *)bytes + *got, n - *got);
		if (k < 0)
			return (int)k;
		c->left -= (size_t)k;
		*got += (size_t)k;
	}
	return 0;
}

int chan_finish(struct chan *c)
{
	while (c->has_head) {
		size_t k = unread(c) < c->left ? unread(c) : c->left;
		c->in_at += k;
		c->left -= k;
		if (c->left == 0 && c->last) {
			c->has_head = false;
			link_done(&c->link, wire_passed(&c->head));
			break;
		}
		int rc = c->left > 0 ? -EAGAIN : next_fragment(c);
		if (rc == -EAGAIN)
			rc = more(c);
		if (rc < 0)
			return rc;
	}
	return 0;
}
