/* The wire format: packing, checking, and writing one message. */
#include "wire.h"

#include <errno.h>
#include <string.h>

static const uint32_t magic = UINT32_C(0x314c4f50); /* "POL1" */

void wire_pack(const struct wire_head *h, unsigned char out[WIRE_HEAD])
{
	memcpy(out, &magic, 4);
	memcpy(out + 4, &h->kind, 2);
	memcpy(out + 6, &h->flags, 2);
	memcpy(out + 8, &h->call, 4);
	memcpy(out + 12, &h->first, 8);
	memcpy(out + 20, &h->count, 8);
	memcpy(out + 28, &h->extra, 8);
}

int wire_unpack(const unsigned char in[WIRE_HEAD], struct wire_head *h)
{
	if (memcmp(in, &magic, 4) != 0)
		return -EPROTO;
	memcpy(&h->kind, in + 4, 2);
	memcpy(&h->flags, in + 6, 2);
	memcpy(&h->call, in + 8, 4);
	memcpy(&h->first, in + 12, 8);
	memcpy(&h->count, in + 20, 8);
	memcpy(&h->extra, in + 28, 8);
	if (h->kind < WIRE_READY || h->kind >= WIRE_KINDS)
		return -EPROTO;
	return h->first > UINT64_MAX - h->count ? -EPROTO : 0;
}

int wire_word(const unsigned char in[WIRE_WORD], size_t *len, bool *last)
{
	uint32_t word;
	memcpy(&word, in, WIRE_WORD);
	if (word == WIRE_ABORT)
		return -ECANCELED;
	*last = (word & WIRE_END_BIT) != 0;
	*len = word & ~WIRE_END_BIT;
	return *len > WIRE_FRAGMENT ? -EPROTO : 0;
}

static void set_word(struct wire_writer *w, uint32_t word)
{
	memcpy(w->to->bytes + w->word, &word, WIRE_WORD);
}

static size_t fragment_length(const struct wire_writer *w)
{
	return w->to->len - w->word - WIRE_WORD;
}

static int open_fragment(struct wire_writer *w)
{
	static const unsigned char zero[WIRE_WORD] = {0};
	size_t word = w->to->len;
	int rc = buf_append(w->to, zero, WIRE_WORD);
	if (rc == 0)
		w->word = word;
	return rc;
}

int wire_begin(struct wire_writer *w, struct buf *to, const struct wire_head *h)
{
	unsigned char head[WIRE_HEAD];
	wire_pack(h, head);
	*w = (struct wire_writer){
		.to = to, .start = to->len, .stays = wire_passed(h) > 0};
	int rc = buf_append(to, head, WIRE_HEAD);
	if (rc == 0)
		rc = open_fragment(w);
	if (rc < 0)
		to->len = w->start;
	else
		w->open = true;
	return rc;
}

int wire_put(struct wire_writer *w, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	while (n > 0) {
		size_t room = WIRE_FRAGMENT - fragment_length(w);
		size_t k = n < room ? n : room;
		int rc = buf_append(w->to, from, k);
		if (rc == 0 && k == room) {
			set_word(w, (uint32_t)WIRE_FRAGMENT);
			rc = open_fragment(w);
		}
		if (rc < 0)
			return rc;
		from += k;
		n -= k;
	}
	return 0;
}

void wire_break(struct wire_writer *w)
{
	set_word(w, (uint32_t)fragment_length(w));
	w->word = SIZE_MAX;
	w->broken_up = true;
}

int wire_resume(struct wire_writer *w)
{
	return open_fragment(w);
}

void wire_end(struct wire_writer *w)
{
	set_word(w, (uint32_t)fragment_length(w) | WIRE_END_BIT);
	w->open = false;
}

int wire_give_up(struct wire_writer *w)
{
	if (!w->open)
		return 0;
	if (!w->broken_up && !w->stays) {
		w->to->len = w->start;
		w->open = false;
		return 0;
	}
	/* The open fragment, if there is one, becomes the abort mark. */
	if (w->word == SIZE_MAX) {
		int rc = open_fragment(w);
		if (rc < 0)
			return rc; /* it is still owed */
	}
	w->to->len = w->word + WIRE_WORD;
	set_word(w, WIRE_ABORT);
	w->open = false;
	return 0;
}
