/*
 * A session's pool with a hostile template and two hostile workers, in the
 * middle of a call: what the glue does (r_call.c, r_stage.c, r_result.c,
 * r_limits.c) with the objects of R left out.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "chan_read.h"
#include "cursor.h"
#include "frames.h"
#include "pool.h"
#include "pool_poll.h"
#include "sched.h"
#include "world.h"

enum {
	WORKERS = 2,
	SCRIPTS = WORKERS + 1, /* the template's is the last */
	TEMPLATE = 1 << 28,    /* no process has that number */
	ROUNDS = 60,
	PATIENCE = 60,
	ELEMENTS = 40,
	RETRIES = 2,
	SPOILED = 1, /* of the call: what the glue throws for */
};

struct script {
	unsigned char *bytes;
	size_t n, at;
	int fd; /* that it was given to */
};

static struct session {
	struct pool pool;
	struct sched sched;
	struct rng *rng;
	struct script scripts[SCRIPTS];
	uint32_t number;
	size_t staged_n;
	bool stops, calling;
	unsigned patience;
	bool killed, gone; /* the template */
	int watch;
} s;

/* ---- the peers ---- */

/* A result of what the worker is at, rather than of anything. */
static void make_plausible(struct script *c, size_t i)
{
	const struct worker *w = &s.pool.workers[i];
	unsigned char *b = c->bytes + c->at;
	struct wire_head h;
	if (c->n - c->at < WIRE_HEAD || wire_unpack(b, &h) < 0 ||
	    h.kind != WIRE_RESULT || rng_one_in(s.rng, 4))
		return;
	h.call = s.number;
	if (w->claims) {
		h.first = rng_below(s.rng, ELEMENTS);
		h.count = rng_below(s.rng, 4);
	} else {
		h.first = w->first;
		h.count = w->count;
	}
	wire_pack(&h, b);
}

static bool act_ring(struct script *c, size_t i)
{
	struct link *l = &s.pool.workers[i].chan.link;
	struct thing *t = world_thing(l->fd);
	if (rng_one_in(s.rng, 100))
		world_tamper(l);
	if (rng_one_in(s.rng, 2))
		l->out.state->read = l->out.state->written;
	if (rng_one_in(s.rng, 2))
		t->wakes++;
	if (c->at == c->n)
		return false;
	size_t n = 1 + rng_below(s.rng, c->n - c->at);
	c->at += world_write(&l->in, c->bytes + c->at,
			     rng_one_in(s.rng, 2) ? c->n - c->at : n);
	return true;
}

/* A worker's script goes on where its predecessor in the slot was. */
static bool act_worker(size_t i)
{
	struct script *c = &s.scripts[i];
	int fd = i < s.pool.n ? s.pool.workers[i].chan.link.fd : -1;
	if (fd < 0)
		return false;
	struct thing *t = world_thing(fd);
	if (c->fd != fd) {
		c->fd = fd;
		t->passes = rng_below(s.rng, 200);
	}
	make_plausible(c, i);
	bool more = true;
	if (link_has_rings(&s.pool.workers[i].chan.link)) {
		more = act_ring(c, i);
	} else {
		t->bytes = c->bytes;
		t->n = c->n;
		if (t->here < c->at)
			t->here = t->at = c->at;
		more = world_deliver(t);
		c->at = t->here;
	}
	if (!more || rng_one_in(s.rng, 40)) {
		t->n = t->here;
		t->ended = true;
	}
	return more;
}

static bool act_template(void)
{
	struct thing *t = world_thing(s.pool.control.link.fd);
	if (rng_one_in(s.rng, 4))
		t->room = SIZE_MAX;
	if (world_deliver(t))
		return true;
	if (s.watch >= 0 && rng_one_in(s.rng, 4))
		world_thing(s.watch)->wakes = 1;
	t->ended = rng_one_in(s.rng, 2);
	return false;
}

static bool act(void *of)
{
	(void)of;
	size_t first = rng_below(s.rng, SCRIPTS);
	for (size_t i = 0; i < SCRIPTS; i++) {
		size_t who = (first + i) % SCRIPTS;
		if (who < WORKERS ? act_worker(who) : act_template())
			return true;
	}
	return false;
}

static void on_kill(pid_t pid, int signal)
{
	/* SIGCONT: a task may have stopped it. */
	REQUIRE(pid == TEMPLATE && !s.gone);
	REQUIRE(signal == SIGKILL || signal == SIGCONT);
	s.killed = s.killed || signal == SIGKILL;
}

static pid_t on_wait(pid_t pid, bool hangs)
{
	REQUIRE(pid == TEMPLATE && !hangs && !s.gone);
	s.gone = s.killed || rng_one_in(s.rng, 3);
	return !s.gone ? 0 : rng_one_in(s.rng, 4) ? -1 : pid;
}

/* ---- the call ---- */

/* As r_call_worker_goes_on(). */
static int goes_on(const struct worker *w)
{
	if (s.patience == 0)
		return -EPIPE; /* interrupted */
	s.patience--;
	if (w->died)
		return -EPIPE;
	int rc = pool_poll(&s.pool, 0);
	return rc == -EINTR ? 0 : rc;
}

/* Payload, as in() of r_stream.c; -EFAULT is R's error. */
static int read_bytes(struct worker *w, size_t n)
{
	unsigned char *to = malloc(n ? n : 1);
	size_t got = 0;
	int rc = to ? 0 : -ENOMEM;
	while (to && (rc = chan_pull(&w->chan, to, n, &got)) == -EAGAIN) {
		rc = goes_on(w);
		if (rc < 0)
			break;
	}
	REQUIRE(rc < 0 || got == n);
	free(to);
	return rc;
}

static int leave_message(struct worker *w)
{
	int rc;
	while ((rc = chan_finish(&w->chan)) == -EAGAIN) {
		rc = goes_on(w);
		if (rc < 0)
			break;
	}
	return rc;
}

static int read_body(struct worker *w)
{
	static const size_t sizes[] = {1, 4, 8, 8, 30, 70000};
	int rc = 0;
	for (size_t i = rng_below(s.rng, 12); rc == 0 && i > 0; i--)
		rc = read_bytes(
			w, sizes[rng_below(s.rng,
					   sizeof(sizes) / sizeof(size_t))]);
	return rc < 0 ? rc : leave_message(w);
}

/* 0; SPOILED; -ENODATA: no result. */
static int read_result(struct worker *w)
{
	bool whole = chan_whole(&w->chan) && !w->chan.failed;
	int rc = read_body(w);
	/* Nothing guards the reading of a whole one. */
	REQUIRE(!whole || rc == 0 || rc == -ENODATA || rc == -ENOMEM);
	if (whole || rc == 0)
		return rc == 0 ? 0 : SPOILED;
	if (w->chan.failed) {
		(void)chan_finish(&w->chan);
		return -ENODATA;
	}
	rc = chan_fill(&w->chan);
	w->eof = w->eof || (rc < 0 && rc != -EAGAIN);
	return w->died || w->eof || s.pool.lost ? -ENODATA : SPOILED;
}

static bool expect(struct worker *w, const struct wire_head *h, int *rc)
{
	*rc = h->kind != WIRE_RESULT || h->first + h->count > s.staged_n
		      ? SPOILED
		      : 0;
	if (*rc != 0)
		return false;
	w->first = (size_t)h->first;
	w->count = (size_t)h->count;
	if (w->count > 0)
		return true;
	(void)chan_finish(&w->chan);
	w->claims = false;
	sched_leave(&s.sched);
	(void)worker_step(w, WORKER_DONE);
	return false;
}

static int collect(size_t slot, const struct wire_head *h)
{
	struct worker *w = &s.pool.workers[slot];
	int rc = 0;
	if (h->kind == WIRE_RESULT && h->call != s.number) {
		(void)chan_finish(&w->chan);
		return 0;
	}
	if (w->claims && !expect(w, h, &rc))
		return rc;
	if (h->kind != WIRE_RESULT || w->count == 0 || h->first != w->first ||
	    h->count > w->count || (h->count < w->count && !s.stops))
		return SPOILED;
	size_t asked = w->count;
	w->count = (size_t)h->count;
	rc = read_result(w);
	if (rc == -ENODATA) {
		w->count = asked;
		return 0;
	}
	if (rc != 0 || (h->count < asked && !s.sched.stopped))
		return SPOILED;
	REQUIRE(w->first + w->count <= ELEMENTS);
	w->done += w->count;
	if (w->claims) {
		sched_finish(&s.sched, w->first, w->count);
	} else {
		uint64_t ns = h->extra > 0 ? (uint64_t)h->extra : 0;
		sched_done(&s.sched, slot, w->first, w->count, ns);
		(void)worker_step(w, WORKER_DONE);
	}
	w->count = 0;
	return 0;
}

static bool is_running(const struct worker *w, size_t *element)
{
	const struct record *record = link_record(&w->chan.link);
	uint64_t since;
	size_t first = w->claims ? 0 : w->first;
	size_t count = w->claims ? s.staged_n : w->count;
	if (record && record_running(record, s.number, element, &since))
		return *element >= first && *element - first < count &&
		       !sched_is_done(&s.sched, *element);
	*element = w->first;
	return count == 1 && !w->claims;
}

/* As r_call_bury(). */
static int bury(size_t slot)
{
	struct worker *w = &s.pool.workers[slot];
	size_t element;
	bool given_up;
	int rc = 0;
	if ((w->claims || w->count > 0) && is_running(w, &element)) {
		REQUIRE(element < ELEMENTS);
		rc = sched_blame(&s.sched, element, RETRIES, &given_up);
	}
	if (rc == 0 && w->claims)
		sched_leave(&s.sched);
	else if (rc == 0 && w->count > 0)
		rc = sched_again(&s.sched, slot, w->first, w->count);
	w->claims = false;
	w->count = 0;
	return rc < 0 ? SPOILED : 0;
}

static int take_in(void)
{
	int rc = 0;
	for (size_t i = 0; i < s.pool.n && rc == 0; i++) {
		struct worker *w = &s.pool.workers[i];
		struct wire_head h;
		while (rc == 0 && w->state == WORKER_BUSY &&
		       (rc = chan_head(&w->chan, &h)) == 0 &&
		       chan_readable(&w->chan)) {
			rc = collect(i, &h);
			if (w->chan.has_head)
				break;
		}
		rc = rc == -EAGAIN ? 0 : rc;
		if (rc == 0 && w->state == WORKER_GONE)
			rc = bury(i);
	}
	return rc == 0 ? 0 : SPOILED;
}

/* Descriptors that go with the next message, as far as it may have any. */
static void attach_some(struct worker *w)
{
	for (size_t n = chan_credit(&w->chan); n > 0 && rng_below(s.rng, 3);
	     n--)
		(void)chan_attach(&w->chan, world_open(THING_OTHER));
}

/* A message, rarely one that is sent while it is written. */
static int tell_range(struct worker *w, const struct wire_head *h)
{
	static const unsigned char bytes[100000];
	int rc = -EAGAIN;
	if (rng_one_in(s.rng, 8)) {
		attach_some(w);
		rc = chan_begin_with(&w->chan, h);
	}
	if (rc == -EAGAIN)
		rc = chan_begin(&w->chan, h);
	size_t pieces = rng_one_in(s.rng, 1000) ? 15 : 1;
	for (size_t i = 0; i < pieces && rc == 0; i++) {
		rc = chan_put(&w->chan, bytes,
			      pieces > 1 ? sizeof(bytes)
					 : rng_below(s.rng, 300));
		while (rc == 0 && chan_backlog(&w->chan) &&
		       (rc = chan_relieve(&w->chan)) == -EAGAIN)
			rc = goes_on(w);
	}
	if (rc == 0)
		chan_end(&w->chan);
	return rc == 0 ? chan_flush(&w->chan) : rc;
}

/* One that others are told too, with descriptors of its own. */
static int tell_stage(struct worker *w, const struct wire_head *h)
{
	struct wire_writer to;
	struct wire_head head = *h;
	struct blob *b = blob_new();
	int rc = b ? 0 : -ENOMEM;
	for (size_t i = s.pool.shares ? rng_below(s.rng, 3) : 0;
	     rc == 0 && i > 0; i--) {
		int fd = world_open(THING_OTHER);
		rc = blob_attach(b, fd);
		if (rc < 0)
			world_thing(fd)->kind = THING_FREE;
		else
			head.flags = (uint16_t)(head.flags + WIRE_PASSED);
	}
	if (rc == 0)
		rc = wire_begin(&to, &b->buf, &head);
	if (rc == 0)
		wire_end(&to);
	if (rc == 0)
		rc = chan_queue(&w->chan, b);
	blob_unref(b);
	return rc == 0 ? chan_flush(&w->chan) : rc;
}

static int hand_out(size_t slot)
{
	struct worker *w = &s.pool.workers[slot];
	struct wire_head h = {.kind = WIRE_RANGE, .call = s.number};
	if (!worker_free(w))
		return 0;
	bool stages = s.sched.staged > 0 && rng_one_in(s.rng, 2);
	if (stages) {
		h.kind = WIRE_STAGE;
		w->claims = true;
		sched_join(&s.sched);
	} else {
		if (!sched_claim(&s.sched, slot, &w->first, &w->count))
			return 0;
		REQUIRE(w->first + w->count <= ELEMENTS && w->count > 0);
	}
	h.first = w->first;
	h.count = w->count;
	int rc = stages ? tell_stage(w, &h) : tell_range(w, &h);
	(void)worker_step(w, WORKER_CLAIMED);
	return rc == 0 || rc == -EAGAIN || rc == -EPIPE ? 0 : SPOILED;
}

static int begin_call(void)
{
	s.number++;
	s.stops = rng_one_in(s.rng, 4);
	s.staged_n = rng_one_in(s.rng, 2) ? ELEMENTS / 2 : 0;
	if (sched_init(&s.sched, ELEMENTS, s.pool.n) < 0)
		return SPOILED;
	s.calling = true;
	if (s.staged_n > 0)
		sched_stage(&s.sched, s.staged_n);
	return 0;
}

/* As drop_answers(), with one round of let_finish(). */
static void drop_answers(struct worker *w)
{
	struct wire_head h;
	while (w->state == WORKER_BUSY && chan_head(&w->chan, &h) == 0 &&
	       chan_whole(&w->chan)) {
		bool more = w->chan.failed || (w->claims && h.count > 0);
		if (chan_finish(&w->chan) == 0 && !more)
			(void)worker_step(w, WORKER_DONE);
	}
}

static void finish_call(void)
{
	for (size_t i = 0; i < s.pool.n; i++)
		(void)pool_interrupt_worker(&s.pool, i, s.number);
	(void)pool_poll(&s.pool, 100);
	for (size_t i = 0; i < s.pool.n; i++) {
		struct worker *w = &s.pool.workers[i];
		drop_answers(w);
		(void)chan_give_up(&w->chan);
		if (w->state == WORKER_BUSY)
			(void)pool_kill_worker(&s.pool, i);
		w->call = 0;
		w->count = 0;
		w->claims = false;
	}
	sched_release(&s.sched);
	s.calling = false;
}

/* ---- an input ---- */

static void replace(void)
{
	for (size_t i = 0; i < s.pool.n; i++) {
		const struct worker *w = &s.pool.workers[i];
		if ((w->state == WORKER_GONE || w->state == WORKER_NONE) &&
		    !w->claims && w->count == 0)
			(void)pool_start_worker(&s.pool, i);
	}
}

/* None is lost, none comes back twice. */
static void check_claims(void)
{
	size_t claims = 0;
	for (size_t i = 0; i < s.pool.n; i++)
		claims +=
			s.pool.workers[i].claims || s.pool.workers[i].count > 0;
	REQUIRE(s.sched.claims == claims);
	REQUIRE(s.sched.left <= ELEMENTS);
}

static void step(void)
{
	int rc = 0;
	if (rng_one_in(s.rng, 100))
		(void)pool_kill_worker(&s.pool, rng_below(s.rng, s.pool.n));
	if (rng_one_in(s.rng, 8))
		replace();
	if (!s.calling && rng_one_in(s.rng, 20))
		(void)pool_restart(&s.pool, WORKERS);
	if (!s.calling)
		rc = begin_call();
	for (size_t i = 0; s.calling && i < s.pool.n && rc == 0; i++)
		rc = hand_out(i);
	(void)pool_poll(&s.pool, rng_one_in(s.rng, 4) ? 0 : 100);
	for (size_t i = 0; i < s.pool.n; i++)
		REQUIRE(s.pool.workers[i].state < WORKER_STATES);
	if (s.calling && rc == 0)
		rc = take_in();
	if (s.calling && rc == 0)
		check_claims();
	if (s.calling && (rc != 0 || rng_one_in(s.rng, 50)))
		finish_call();
}

static void set_up_workers(void)
{
	struct blob *b = rng_one_in(s.rng, 4) ? blob_new() : NULL;
	struct wire_writer w;
	struct wire_head h = {.kind = WIRE_CALL};
	if (b && wire_begin(&w, &b->buf, &h) == 0) {
		wire_end(&w);
		(void)pool_set_setup(&s.pool, &b, 1);
	}
	blob_unref(b);
}

static void play(void)
{
	int control = world_open(THING_SOCKET);
	struct thing *t = world_thing(control);
	t->bytes = s.scripts[WORKERS].bytes;
	t->n = s.scripts[WORKERS].n;
	world.act = act;
	world.kill = on_kill;
	world.wait = on_wait;
	int rc = pool_open(&s.pool, control, TEMPLATE);
	s.watch = s.pool.watch;
	if (rng_one_in(s.rng, 2))
		s.pool.shares = false;
	if (rc == 0)
		set_up_workers();
	if (rc == 0)
		rc = pool_restart(&s.pool, WORKERS);
	unsigned last = 3; /* rounds once the template is lost */
	for (size_t i = 0; s.pool.n > 0 && i < ROUNDS && last > 0; i++) {
		step();
		last -= s.pool.lost;
	}
	if (s.calling)
		finish_call();
	pool_close(&s.pool, 100);
	REQUIRE(s.gone);
}

/* The bytes behind the seed: two lengths, and three scripts. */
static void run(const unsigned char *bytes, size_t n)
{
	uint32_t lengths[SCRIPTS] = {0};
	size_t at = sizeof(uint64_t);
	world_begin(frames_seed(bytes, n));
	s = (struct session){.rng = &world.rng, .patience = PATIENCE};
	if (n >= at + WORKERS * sizeof(*lengths)) {
		memcpy(lengths, bytes + at, WORKERS * sizeof(*lengths));
		at += WORKERS * sizeof(*lengths);
	}
	lengths[WORKERS] = UINT32_MAX;
	size_t fails = world.fails;
	world.fails = 0; /* not of what is ours */
	for (size_t i = 0; i < SCRIPTS; i++) {
		struct script *c = &s.scripts[i];
		size_t left = n > at ? n - at : 0;
		c->n = lengths[i] < left ? lengths[i] : left;
		c->fd = -1;
		c->bytes = malloc(c->n ? c->n : 1);
		memcpy(c->bytes, bytes + at, c->n);
		at += c->n;
	}
	world.fails = fails;
	play();
	for (size_t i = 0; i < SCRIPTS; i++)
		free(s.scripts[i].bytes);
	world_end();
}

static void make(struct input *in, struct rng *r)
{
	frames_begin(in, r);
	size_t at = in->n;
	in->n += WORKERS * sizeof(uint32_t);
	for (size_t i = 0; i < WORKERS; i++) {
		uint32_t n = (uint32_t)frames_add(in, r, FROM_WORKER);
		memcpy(in->bytes + at + i * sizeof(n), &n, sizeof(n));
	}
	(void)frames_add(in, r, FROM_TEMPLATE);
}

const struct target target_pool = {"pool", 15, make, run};
