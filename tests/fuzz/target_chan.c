/*
 * Bytes into a channel, read in every way that the glue reads them, and
 * compared with what a reader of the whole of them says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan_read.h"
#include "frames.h"
#include "world.h"

enum { ROUNDS = 3000, PIECE = 200000, PATIENCE = 100 };

/* ---- the other reader: all bytes at once, no buffer ---- */

struct model {
	const unsigned char *bytes;
	size_t n, at;
	bool inside; /* a message */
	struct wire_head head;
	uint64_t left; /* of the fragment */
	bool last, failed;
};

/* -EAGAIN: there are no more bytes. */
static int model_word(struct model *m, size_t at)
{
	uint32_t word;
	if (m->n - at < WIRE_WORD)
		return -EAGAIN;
	memcpy(&word, m->bytes + at, WIRE_WORD);
	m->failed = word == WIRE_ABORT;
	if (!m->failed && (word & ~WIRE_END_BIT) > WIRE_FRAGMENT)
		return -EPROTO;
	m->at = at + WIRE_WORD;
	m->last = (word & WIRE_END_BIT) != 0;
	m->left = m->failed ? 0 : word & ~WIRE_END_BIT;
	return 0;
}

static int model_head(struct model *m)
{
	static const unsigned char magic[] = "POL1";
	const unsigned char *b = m->bytes + m->at;
	if (m->inside)
		return 0;
	if (m->n - m->at < WIRE_HEAD + WIRE_WORD)
		return -EAGAIN;
	memcpy(&m->head.kind, b + 4, 2);
	memcpy(&m->head.flags, b + 6, 2);
	memcpy(&m->head.call, b + 8, 4);
	memcpy(&m->head.first, b + 12, 8);
	memcpy(&m->head.count, b + 20, 8);
	memcpy(&m->head.extra, b + 28, 8);
	if (memcmp(b, magic, 4) != 0 || m->head.kind < WIRE_READY ||
	    m->head.kind >= WIRE_KINDS ||
	    m->head.first + m->head.count < m->head.first)
		return -EPROTO;
	int rc = model_word(m, m->at + WIRE_HEAD);
	m->inside = rc == 0;
	return rc;
}

/* As chan_pull(), which has put the bytes where they are compared. */
static int model_pull(struct model *m, const unsigned char *bytes, size_t n,
		      size_t *got)
{
	while (*got < n) {
		if (m->failed)
			return -ECANCELED;
		if (m->left == 0) {
			int rc = m->last ? -ENODATA : model_word(m, m->at);
			if (rc < 0)
				return rc;
			continue;
		}
		size_t k = n - *got;
		k = k < m->left ? k : (size_t)m->left;
		k = k < m->n - m->at ? k : m->n - m->at;
		if (k == 0)
			return -EAGAIN;
		if (bytes)
			REQUIRE(memcmp(bytes + *got, m->bytes + m->at, k) == 0);
		m->at += k;
		m->left -= k;
		*got += k;
	}
	return 0;
}

static int model_finish(struct model *m)
{
	size_t got = 0;
	int rc = model_pull(m, NULL, SIZE_MAX, &got);
	if (rc != -ENODATA && rc != -ECANCELED)
		return rc;
	m->inside = m->failed = false;
	return 0;
}

/* ---- the channel ---- */

enum way { SOCKET, PASSES_ONE, RINGS, RINGS_OFFERED, WAYS };

struct reader {
	struct chan chan;
	struct model model;
	struct rng *rng;
	enum way way;
	unsigned char *script;
	size_t n, written; /* of it, through the ring */
	bool lied;	   /* the ring, to us: nothing can be compared */
	bool silent;	   /* the peer stays, and says no more */
	bool over;	   /* nothing more will come */
	unsigned patience;
	unsigned char piece[PIECE];
};

static struct thing *thing_of(struct reader *a)
{
	return world_thing(a->chan.link.fd);
}

/* Bytes come by ring, and what the socket carries besides. */
static bool act_ring(struct reader *a)
{
	struct thing *t = thing_of(a);
	size_t left = a->n - a->written;
	if (rng_one_in(a->rng, 200)) {
		world_tamper(&a->chan.link);
		a->lied = true;
	}
	if (rng_one_in(a->rng, 3))
		t->wakes += (unsigned)rng_below(
			a->rng, rng_one_in(a->rng, 8) ? 300 : 4);
	if (left == 0)
		return false;
	size_t n = rng_one_in(a->rng, 2) ? left : 1 + rng_below(a->rng, left);
	size_t k = world_write(&a->chan.link.in, a->script + a->written, n);
	a->written += k;
	return true;
}

static bool act(void *of)
{
	struct reader *a = of;
	struct thing *t = thing_of(a);
	bool ring = link_has_rings(&a->chan.link);
	if (ring ? act_ring(a) : world_deliver(t) || t->wakes > 0)
		return true;
	if (!a->silent)
		t->ended = true;
	a->over = true;
	return false;
}

static void set_up(struct reader *a)
{
	chan_init(&a->chan, world_open(THING_SOCKET));
	struct thing *t = thing_of(a);
	a->way = (enum way)rng_below(a->rng, WAYS);
	a->silent = rng_one_in(a->rng, 4);
	t->passes = rng_one_in(a->rng, 3) ? rng_below(a->rng, 300) : 0;
	t->bytes = a->script;
	t->n = a->n;
	if (a->way == PASSES_ONE)
		a->chan.link.passing = LINK_ONE;
	if (a->way == RINGS && link_share(&a->chan.link) == 0) {
		t->n = 0; /* it all comes by ring */
		t->passes = t->passes > 100 ? t->passes : 0;
	}
	if (a->way == RINGS_OFFERED) {
		a->chan.link.passing = LINK_RINGS;
		t->is_rings = !rng_one_in(a->rng, 8);
		t->passes = t->is_rings;
		t->wakes = t->is_rings; /* the byte that it comes with */
		t->n = t->is_rings ? 0 : a->n;
	}
	world.act = act;
	world.of = a;
}

static bool comparable(const struct reader *a)
{
	return !a->lied && !world.failed;
}

static void check(const struct reader *a)
{
	const struct chan *c = &a->chan;
	REQUIRE(c->in_at <= c->in.len && c->in.len <= c->in.cap);
	REQUIRE(c->left <= WIRE_FRAGMENT);
	REQUIRE(c->link.n_arrived <= LINK_CREDIT);
	REQUIRE(chan_buffered(c) == c->in.len - c->in_at);
}

/* Is the rest of the message in the buffer, as the model sees it? */
static bool is_whole(const struct reader *a)
{
	struct model m = a->model;
	size_t got = 0;
	if (m.failed)
		return true;
	m.n = m.at + chan_buffered(&a->chan);
	return m.n <= a->model.n &&
	       model_pull(&m, NULL, SIZE_MAX, &got) == -ENODATA;
}

/* The answer of the channel is the model's, as far as bytes have come. */
static void agree(const struct reader *a, int rc, int expected)
{
	if (!comparable(a) || rc == -EINTR)
		return;
	if (rc == -EAGAIN)
		return; /* not yet: the rounds are counted */
	if (rc == -EPIPE || rc == -EMFILE) {
		REQUIRE(expected == -EAGAIN || rc == -EMFILE);
		return;
	}
	/* More descriptors than may be passed, or of the wrong kind. */
	if (rc == -EPROTO && a->way >= RINGS)
		return;
	REQUIRE(rc == expected);
}

/* Payload bytes: the buffer is no larger than what is asked for. */
static int pull(struct reader *a, size_t n)
{
	size_t got = 0, before = 0, expected = 0;
	unsigned char *to = n < 256 && n > 0 ? malloc(n) : a->piece;
	int rc = -EAGAIN;
	if (!to)
		return -ENOMEM;
	do {
		before = got;
		rc = chan_pull(&a->chan, to, n, &got);
		check(a);
		REQUIRE(got <= n && got >= before);
		REQUIRE(rc != 0 || got == n);
	} while (rc == -EAGAIN && a->patience > 0 && a->patience--);
	if (comparable(a)) {
		int m = model_pull(&a->model, to, got, &expected);
		REQUIRE(m == 0 && expected == got);
		if (got < n && rc != -EAGAIN) {
			size_t none = 0;
			agree(a, rc, model_pull(&a->model, NULL, 1, &none));
		}
	}
	if (to != a->piece)
		free(to);
	return rc;
}

static size_t some(struct reader *a)
{
	static const size_t sizes[] = {0, 1, 2, 4, 8, 8, 16, 100, 5000};
	return rng_one_in(a->rng, 32)
		       ? 64000 + rng_below(a->rng, PIECE - 64000)
		       : sizes[rng_below(a->rng,
					 sizeof(sizes) / sizeof(*sizes))];
}

static int read_payload(struct reader *a)
{
	int rc = 0;
	size_t most = rng_one_in(a->rng, 4) ? rng_below(a->rng, 4) : SIZE_MAX;
	for (size_t i = 0; rc == 0 && i < most && i < ROUNDS; i++)
		rc = pull(a, some(a));
	return rc;
}

static int finish(struct reader *a)
{
	int rc;
	do {
		rc = chan_finish(&a->chan);
		check(a);
	} while (rc == -EAGAIN && a->patience > 0 && a->patience--);
	if (rc != -EAGAIN && comparable(a))
		agree(a, rc, model_finish(&a->model));
	return rc;
}

static bool is_any(int fd, const void *of)
{
	(void)world_thing(fd);
	return rng_one_in((struct rng *)(size_t)of, 2);
}

/* Those that came with the message. */
static void take_descriptors(struct reader *a)
{
	int fd = chan_take_fd(&a->chan);
	struct link *l = &a->chan.link;
	if (fd >= 0)
		world_thing(fd)->kind = THING_FREE;
	if (rng_one_in(a->rng, 2))
		return;
	fd = link_claim(l, wire_passed(&a->chan.head), is_any, a->rng);
	if (fd >= 0)
		world_thing(fd)->kind = THING_FREE;
}

/* A message is in front: reads it as one of the glue's functions would. */
static int take_message(struct reader *a)
{
	struct chan *c = &a->chan;
	bool whole = chan_whole(c);
	if (comparable(a))
		REQUIRE(whole == is_whole(a));
	REQUIRE(!whole || chan_readable(c));
	size_t reads = world.reads;
	int rc = 0;
	take_descriptors(a);
	if (!rng_one_in(a->rng, 4) &&
	    (whole || chan_readable(c) || rng_one_in(a->rng, 4)))
		rc = read_payload(a);
	REQUIRE(!whole || c->failed || rc == 0 || rc == -ENODATA ||
		rc == -ENOMEM);
	REQUIRE(!whole || world.reads == reads);
	if (rc == 0 || rc == -ENODATA || rc == -ECANCELED)
		rc = finish(a);
	REQUIRE(!whole || rc == 0 || rc == -ENOMEM);
	return rc;
}

static int fill(struct reader *a)
{
	int rc = chan_fill(&a->chan);
	if (rc == -EAGAIN && !act(a) && a->over && a->silent)
		a->patience -= a->patience > 0;
	return rc == -EAGAIN ? 0 : rc;
}

static int next_message(struct reader *a)
{
	struct wire_head h;
	int rc = chan_head(&a->chan, &h);
	check(a);
	if (rc == -EAGAIN)
		return rc;
	if (comparable(a)) {
		REQUIRE(rc == model_head(&a->model));
		if (rc == 0)
			REQUIRE(memcmp(&h, &a->model.head, sizeof(h)) == 0);
	}
	if (rc < 0) { /* it stays so */
		REQUIRE(chan_head(&a->chan, &h) == rc);
		return rc;
	}
	REQUIRE(h.first + h.count >= h.first);
	return take_message(a);
}

static void run(const unsigned char *bytes, size_t n)
{
	static struct reader a;
	world_begin(frames_seed(bytes, n));
	size_t head = n < 8 ? n : 8;
	a.rng = &world.rng;
	a.n = n - head;
	a.script = malloc(a.n);
	a.written = 0;
	a.lied = a.silent = a.over = false;
	a.patience = PATIENCE;
	a.model = (struct model){0};
	if (!a.script) {
		world_end();
		return;
	}
	memcpy(a.script, bytes + head, a.n);
	a.model.bytes = a.script;
	a.model.n = a.n;
	set_up(&a);
	int rc = 0;
	for (size_t i = 0; i < ROUNDS && a.patience > 0; i++) {
		rc = rng_one_in(a.rng, 8) ? 0 : next_message(&a);
		if (rc == -EAGAIN || (rc == 0 && rng_one_in(a.rng, 2)))
			rc = fill(&a);
		if (rc < 0)
			break;
	}
	/* What is left in the buffer; then all of it was read. */
	bool ended = rc == -EPIPE;
	while (ended && (rc = next_message(&a)) == 0)
		;
	if (ended && rc == -EAGAIN && a.patience > 0 && comparable(&a))
		REQUIRE(model_head(&a.model) == -EAGAIN);
	chan_release(&a.chan);
	free(a.script);
	world_end();
}

static void make(struct input *in, struct rng *r)
{
	frames_begin(in, r);
	(void)frames_add(in, r, (enum speaker)rng_below(r, SPEAKERS));
}

const struct target target_chan = {"chan", 45, make, run};
