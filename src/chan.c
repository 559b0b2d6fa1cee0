/*
 * One peer's messages: outgoing blobs and bytes in order.
 */
#include "chan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "io.h"

enum {
	COPY_BELOW = 32 << 10
}; /* a blob this small is copied, to save a send */

void chan_init(struct chan *c, int fd)
{
	*c = (struct chan){0};
	link_init(&c->link, fd);
	buf_init(&c->out, SIZE_MAX / 2);
	buf_init(&c->in, SIZE_MAX / 2);
}

static void drop_first(struct chan *c)
{
	blob_unref(c->queue[0]);
	c->queued--;
	memmove(c->queue, c->queue + 1, c->queued * sizeof(*c->queue));
	c->queue_at = c->queue_passed = 0;
}

void chan_release(struct chan *c)
{
	while (c->queued > 0)
		drop_first(c);
	free(c->queue);
	blob_unref(c->with);
	buf_release(&c->out);
	buf_release(&c->in);
	link_release(&c->link);
	chan_init(c, -1);
}

void chan_detach(struct chan *c)
{
	blob_unref(c->with);
	c->with = NULL;
}

int chan_begin(struct chan *c, const struct wire_head *h)
{
	chan_detach(c);
	int rc = chan_give_up(c); /* of a message some error left behind */
	return rc < 0 ? rc : wire_begin(&c->writing, &c->out, h);
}

/* Nothing that is queued has descriptors still to be passed before. */
size_t chan_credit(struct chan *c)
{
	size_t credit = link_open(&c->link) ? link_credit(&c->link) : 0;
	for (size_t i = 0; i < c->queued; i++)
		if (c->queue[i]->n_fds > 0)
			return 0;
	return credit < WIRE_MOST_PASSED ? credit : WIRE_MOST_PASSED;
}

int chan_attach(struct chan *c, int fd)
{
	if (!c->with)
		c->with = blob_new();
	int rc = c->with ? blob_attach(c->with, fd) : -ENOMEM;
	if (rc < 0)
		io_close(&fd);
	return rc;
}

/* Where not all can be passed, those that were go with an empty message, given
 * up. */
int chan_begin_with(struct chan *c, const struct wire_head *h)
{
	struct wire_head head = *h;
	size_t n = 0, all = c->with ? c->with->n_fds : 0;
	int rc = chan_give_up(c);
	if (rc == 0)
		rc = buf_reserve(&c->out, WIRE_HEAD + WIRE_WORD);
	while (rc == 0 && n < all &&
	       (rc = link_pass(&c->link, c->with->fds[n])) == 0)
		n++;
	head.flags = (uint16_t)(head.flags + n * WIRE_PASSED);
	if (n > 0 || rc == 0) {
		int begun = wire_begin(&c->writing, &c->out, &head);
		rc = rc < 0 ? rc : begun;
	}
	if (rc < 0 && c->writing.open)
		(void)chan_give_up(c); /* there is room for that */
	chan_detach(c);
	return rc;
}

int chan_put(struct chan *c, const void *bytes, size_t n)
{
	return wire_put(&c->writing, bytes, n);
}

void chan_end(struct chan *c)
{
	wire_end(&c->writing);
}

int chan_give_up(struct chan *c)
{
	return wire_give_up(&c->writing);
}

int chan_say(struct chan *c, const struct wire_head *h)
{
	int rc = chan_begin(c, h);
	if (rc == 0)
		chan_end(c);
	return rc;
}

int chan_say_fd(struct chan *c, const struct wire_head *h, int fd)
{
	if (chan_pending(c))
		return -EAGAIN;
	int rc = chan_say(c, h);
	if (rc < 0)
		return rc;
	ssize_t k = link_send_fd(&c->link, c->out.bytes, c->out.len, fd);
	if (k < 0) {
		buf_clear(&c->out);
		return (int)k;
	}
	c->out_at = (size_t)k;
	return 0;
}

static int push(struct chan *c, struct blob *message)
{
	if (c->queued == c->queue_room) {
		size_t room = c->queue_room ? c->queue_room * 2 : 4;
		struct blob **more =
			realloc(c->queue, room * sizeof(*c->queue));
		if (!more)
			return -ENOMEM;
		c->queue = more;
		c->queue_room = room;
	}
	c->queue[c->queued++] = message;
	return 0;
}

/* Bytes written so far become a blob, so that another can stand behind. */
static int bytes_to_queue(struct chan *c)
{
	struct blob *own = blob_new();
	if (!own)
		return -ENOMEM;
	int rc = buf_append(&own->buf, c->out.bytes + c->out_at,
			    c->out.len - c->out_at);
	if (rc == 0)
		rc = push(c, own);
	if (rc < 0) {
		blob_unref(own);
		return rc;
	}
	buf_clear(&c->out);
	c->out_at = 0;
	return 0;
}

int chan_queue(struct chan *c, struct blob *message)
{
	if (message->buf.len < COPY_BELOW && message->n_fds == 0)
		return buf_append(&c->out, message->buf.bytes,
				  message->buf.len);
	if (c->out.len > c->out_at) {
		int rc = bytes_to_queue(c);
		if (rc < 0)
			return rc;
	}
	int rc = push(c, message);
	if (rc == 0)
		blob_ref(message);
	return rc;
}

bool chan_pending(const struct chan *c)
{
	return c->queued > 0 || c->out_at < c->out.len;
}

static int send_all(struct link *l, const struct buf *b, size_t *at)
{
	while (*at < b->len) {
		ssize_t k = link_send(l, b->bytes + *at, b->len - *at);
		if (k < 0)
			return (int)k;
		*at += (size_t)k;
	}
	return 0;
}

static int pass_all(struct chan *c, const struct blob *message)
{
	int rc = 0;
	while (c->queue_passed < message->n_fds &&
	       (rc = link_pass(&c->link, message->fds[c->queue_passed])) == 0)
		c->queue_passed++;
	return rc;
}

enum link_wants chan_wants(const struct chan *c)
{
	if (!chan_pending(c))
		return LINK_NONE;
	return c->queued > 0 && c->queue_passed < c->queue[0]->n_fds
		       ? LINK_PASS
		       : LINK_ROOM;
}

static int flush_now(struct chan *c)
{
	while (c->queued > 0) {
		int rc = pass_all(c, c->queue[0]);
		if (rc == 0)
			rc = send_all(&c->link, &c->queue[0]->buf,
				      &c->queue_at);
		if (rc < 0)
			return rc;
		drop_first(c);
	}
	int rc = send_all(&c->link, &c->out, &c->out_at);
	if (rc == 0) {
		buf_clear(&c->out);
		c->out_at = 0;
	}
	return rc;
}

int chan_flush(struct chan *c)
{
	/* The bytes of an open message move: it leaves when it is closed, or
	 * through chan_relieve(). */
	return c->writing.open ? -EAGAIN : flush_now(c);
}

bool chan_backlog(const struct chan *c)
{
	return c->out.len - c->out_at >= CHAN_CHUNK;
}

int chan_relieve(struct chan *c)
{
	if (c->writing.open && c->writing.word != SIZE_MAX)
		wire_break(&c->writing);
	int rc = flush_now(c);
	if (rc == -EAGAIN) {
		rc = link_wait(&c->link, chan_wants(c), CHAN_SLICE);
		return rc < 0 && rc != -EINTR ? rc : -EAGAIN;
	}
	if (rc < 0 || !c->writing.open)
		return rc;
	return wire_resume(&c->writing);
}
