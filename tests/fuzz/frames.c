/*
 * Conversations. They are written by hand and not by the code under test, which
 * would have to be right then. Mutations of fields come first, while it is
 * known where they are.
 */
#include "frames.h"

#include <string.h>

#include "wire.h"

enum { MARKS = 64, MUTATIONS = 4 };

struct talk {
	unsigned char *bytes;
	size_t n, room;
	size_t heads[MARKS], words[MARKS];
	size_t n_heads, n_words;
};

uint64_t frames_number(struct rng *r)
{
	static const uint64_t limits[] = {0,
					  1,
					  2,
					  3,
					  64,
					  127,
					  255,
					  256,
					  65535,
					  65536,
					  1 << 20,
					  (1 << 30) - 1,
					  1 << 30,
					  (1 << 30) + 1,
					  INT32_MAX,
					  UINT64_C(1) << 31,
					  UINT32_MAX - 1,
					  UINT32_MAX,
					  UINT64_C(1) << 32,
					  (UINT64_C(1) << 40) - 1,
					  UINT64_C(1) << 40,
					  INT64_MAX,
					  UINT64_C(1) << 63,
					  UINT64_MAX - 1,
					  UINT64_MAX};
	switch (rng_below(r, 8)) {
	case 0:
		return rng_next(r);
	case 1:
		return rng_next(r) >> rng_below(r, 64);
	case 2:
		return UINT64_C(1) << rng_below(r, 64);
	default:
		return limits[rng_below(r, sizeof(limits) / sizeof(*limits))];
	}
}

static void put(struct talk *t, const void *bytes, size_t n)
{
	if (n > t->room - t->n)
		n = t->room - t->n;
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
}

static void put_head(struct talk *t, const struct wire_head *h)
{
	unsigned char bytes[WIRE_HEAD];
	wire_pack(h, bytes);
	if (t->n_heads < MARKS)
		t->heads[t->n_heads++] = t->n;
	put(t, bytes, WIRE_HEAD);
}

static void put_word(struct talk *t, uint32_t word)
{
	if (t->n_words < MARKS)
		t->words[t->n_words++] = t->n;
	put(t, &word, WIRE_WORD);
}

static void put_fill(struct talk *t, struct rng *r, size_t n)
{
	if (n > t->room - t->n)
		n = t->room - t->n;
	for (size_t i = 0; i < n; i += 8) {
		uint64_t x = rng_next(r);
		memcpy(t->bytes + t->n + i, &x, n - i < 8 ? n - i : 8);
	}
	t->n += n;
}

/* Few are long: those are what takes time. */
static size_t length(struct rng *r)
{
	switch (rng_below(r, 4096)) {
	case 0:
		return (1 << 20) - 50 + rng_below(r, 100); /* CHAN_CHUNK */
	case 1:
	case 2:
	case 3:
	case 4:
		return 65000 + rng_below(r, 70000); /* read directly */
	default:
		return rng_one_in(r, 16) ? rng_below(r, 3000)
					 : rng_below(r, 48);
	}
}

static void put_payload(struct talk *t, struct rng *r)
{
	while (rng_one_in(r, 3)) {
		size_t n = length(r);
		put_word(t, (uint32_t)n);
		put_fill(t, r, n);
	}
	if (rng_one_in(r, 8)) {
		put_word(t, WIRE_ABORT);
		return;
	}
	size_t n = rng_one_in(r, 4) ? 0 : length(r);
	put_word(t, (uint32_t)n | WIRE_END_BIT);
	put_fill(t, r, n);
}

static uint16_t any_of(struct rng *r, const uint16_t *kinds, size_t n)
{
	return kinds[rng_below(r, n)];
}

#define ANY_OF(r, ...)                                                         \
	any_of(r, (const uint16_t[]){__VA_ARGS__},                             \
	       sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static uint16_t kind_of(struct rng *r, enum speaker from)
{
	switch (from) {
	case FROM_TEMPLATE:
		return ANY_OF(r, WIRE_READY, WIRE_STARTED, WIRE_STARTED,
			      WIRE_STARTED, WIRE_DIED);
	case FROM_WORKER:
		return WIRE_RESULT;
	case TO_WORKER:
		return ANY_OF(r, WIRE_CALL, WIRE_RANGE, WIRE_RANGE, WIRE_STAGE,
			      WIRE_END);
	default:
		return ANY_OF(r, WIRE_STATE, WIRE_FORK, WIRE_FORK, WIRE_FORK,
			      WIRE_KILL, WIRE_INTERRUPT);
	}
}

static void put_message(struct talk *t, struct rng *r, enum speaker from)
{
	struct wire_head h = {
		.kind = kind_of(r, from), .first = rng_below(r, 5), .count = 0};
	bool to_worker = from == FROM_WORKER || from == TO_WORKER;
	if (to_worker) {
		h.flags = (uint16_t)(rng_next(r) & 255);
		h.call = 1;
		h.count = rng_below(r, 4);
		if (rng_one_in(r, 8))
			h.flags = (uint16_t)(h.flags +
					     WIRE_PASSED * rng_below(r, 3));
	} else {
		h.extra = (int64_t)rng_below(r, 4) * 1000 - 5;
	}
	put_head(t, &h);
	if (to_worker || h.kind == WIRE_STATE)
		put_payload(t, r);
	else
		put_word(t, WIRE_END_BIT);
}

/* A template is first of all ready, and then has two workers. */
static void put_opening(struct talk *t, struct rng *r, enum speaker from)
{
	if (from != FROM_TEMPLATE || rng_one_in(r, 8))
		return;
	put_head(t, &(struct wire_head){.kind = WIRE_READY});
	put_word(t, WIRE_END_BIT);
	for (uint64_t id = 1; id <= 2; id++) {
		put_head(t, &(struct wire_head){.kind = WIRE_STARTED,
						.first = id,
						.extra = 1000});
		put_word(t, WIRE_END_BIT);
	}
}

static void converse(struct talk *t, struct rng *r, enum speaker from)
{
	put_opening(t, r, from);
	for (size_t i = 1 + rng_below(r, 6); i > 0; i--)
		put_message(t, r, from);
	if (from == TO_TEMPLATE && rng_one_in(r, 4)) {
		put_head(t, &(struct wire_head){.kind = WIRE_BYE});
		put_word(t, WIRE_END_BIT);
	}
}

/* ---- mutations ---- */

static void set_field(struct talk *t, struct rng *r)
{
	static const struct {
		size_t at, size;
	} fields[] = {{0, 4}, {4, 2},  {4, 2},	{6, 2}, {7, 1},
		      {8, 4}, {12, 8}, {20, 8}, {28, 8}};
	size_t i = rng_below(r, sizeof(fields) / sizeof(*fields));
	size_t at = t->heads[rng_below(r, t->n_heads)] + fields[i].at;
	uint64_t x = frames_number(r);
	if (fields[i].at == 4 && !rng_one_in(r, 4))
		x = rng_below(r, WIRE_KINDS + 2);
	if (at + fields[i].size <= t->n)
		memcpy(t->bytes + at, &x, fields[i].size);
}

static void set_word(struct talk *t, struct rng *r)
{
	size_t at = t->words[rng_below(r, t->n_words)];
	uint32_t word;
	if (at + WIRE_WORD > t->n)
		return;
	memcpy(&word, t->bytes + at, WIRE_WORD);
	switch (rng_below(r, 6)) {
	case 0:
		word ^= WIRE_END_BIT;
		break;
	case 1:
		word += (uint32_t)rng_below(r, 9) - 4;
		break;
	case 2:
		word = WIRE_ABORT;
		break;
	case 3:
		word = (uint32_t)frames_number(r) | WIRE_END_BIT;
		break;
	default:
		word = (uint32_t)frames_number(r);
	}
	memcpy(t->bytes + at, &word, WIRE_WORD);
}

static void flip_bits(struct talk *t, struct rng *r)
{
	for (size_t i = 1 + rng_below(r, 8); i > 0; i--)
		t->bytes[rng_below(r, t->n)] ^=
			(unsigned char)(1u << rng_below(r, 8));
}

/* A place in it, rather one where something begins. */
static size_t place(const struct talk *t, struct rng *r)
{
	size_t at = rng_one_in(r, 2)   ? t->heads[rng_below(r, t->n_heads)]
		    : rng_one_in(r, 2) ? t->words[rng_below(r, t->n_words)]
				       : rng_below(r, t->n + 1);
	return at < t->n ? at : t->n;
}

/* What is between two places is there twice, or not at all. */
static void copy_part(struct talk *t, struct rng *r)
{
	size_t from = place(t, r), to = place(t, r), at = place(t, r);
	if (from > to) {
		size_t x = from;
		from = to;
		to = x;
	}
	size_t n = to - from;
	if (rng_one_in(r, 2)) {
		memmove(t->bytes + from, t->bytes + to, t->n - to);
		t->n -= n;
	} else if (n <= t->room - t->n && (at <= from || at >= to)) {
		memmove(t->bytes + at + n, t->bytes + at, t->n - at);
		memmove(t->bytes + at, t->bytes + from + (at <= from ? n : 0),
			n);
		t->n += n;
	}
}

/* Breaks off, and goes on in the middle of another. */
static void splice(struct talk *t, struct rng *r)
{
	t->n = place(t, r);
	size_t from = t->n;
	t->n_heads = t->n_words = 0;
	converse(t, r, (enum speaker)rng_below(r, SPEAKERS));
	size_t skip = place(t, r);
	skip = skip > from ? skip - from : 0;
	memmove(t->bytes + from, t->bytes + from + skip, t->n - from - skip);
	t->n -= skip;
}

static void mutate(struct talk *t, struct rng *r)
{
	if (t->n == 0)
		return;
	switch (rng_below(r, 16)) {
	case 0:
		t->n = rng_below(r, t->n + 1);
		break;
	case 1:
	case 2:
		copy_part(t, r);
		break;
	case 3:
	case 4:
		splice(t, r);
		break;
	case 5:
	case 6:
	case 7:
		flip_bits(t, r);
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		set_field(t, r);
		break;
	default:
		set_word(t, r);
	}
}

size_t frames_add(struct input *in, struct rng *r, enum speaker from)
{
	struct talk t = {.bytes = in->bytes + in->n,
			 .room = INPUT_MOST - in->n};
	converse(&t, r, from);
	if (!rng_one_in(r, 6))
		for (size_t i = 1 + rng_below(r, MUTATIONS); i > 0; i--)
			mutate(&t, r);
	in->n += t.n;
	return t.n;
}

void frames_begin(struct input *in, struct rng *r)
{
	uint64_t how = rng_next(r);
	memcpy(in->bytes, &how, sizeof(how));
	in->n = sizeof(how);
}

uint64_t frames_seed(const unsigned char *bytes, size_t n)
{
	uint64_t how = 0;
	memcpy(&how, bytes, n < sizeof(how) ? n : sizeof(how));
	return how;
}
