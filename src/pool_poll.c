/*
 * What template and workers say.
 *
 * News of a death comes from the template, with its status; what the worker
 * wrote before it died is read first, so a result is never lost to the race of
 * the two sockets. A channel's end alone only stops it from being polled.
 */
#include "pool_poll.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>

#include "chan_read.h"
#include "clock.h"

enum { POLL_CONTROL, POLL_TEMPLATE, POLL_WORKERS = POOL_POLLS };

static const uint64_t LOOK_NS = 1000000;

static struct worker *find(struct pool *p, uint64_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->workers[i].id == id)
			return &p->workers[i];
	return NULL; /* replaced since */
}

static int ready_if_set_up(struct worker *w)
{
	if (w->state != WORKER_SETUP || w->setup_left > 0)
		return 0;
	w->stillborn = 0;
	return worker_step(w, WORKER_READY);
}

static int hear(struct pool *p, const struct wire_head *h)
{
	struct worker *w = NULL;
	switch (h->kind) {
	case WIRE_READY:
		p->answered = h->first + 1;
		p->answer = (int)h->extra;
		return 0;
	case WIRE_STARTED:
		w = find(p, h->first);
		if (!w)
			return 0;
		if (h->extra <= 0) {
			w->status = (int)h->extra;
			return worker_step(w, WORKER_FAILED);
		}
		w->pid = (pid_t)h->extra;
		int rc = worker_step(w, WORKER_STARTED);
		return rc < 0 ? rc : ready_if_set_up(w);
	case WIRE_DIED:
		w = find(p, h->first);
		if (w) {
			w->status = (int)h->extra;
			w->died = true;
		}
		return 0;
	default:
		return -EPROTO;
	}
}

static int hear_template(struct pool *p)
{
	int rc = chan_fill(&p->control);
	struct wire_head h;
	while (rc == 0 && (rc = chan_head(&p->control, &h)) == 0) {
		rc = hear(p, &h);
		while (rc == 0 && (rc = chan_finish(&p->control)) == -EAGAIN)
			rc = 0;
	}
	return rc == -EAGAIN ? 0 : rc;
}

/* Reads what has come, as far as the buffer is meant to grow: a longer message
 * is streamed out of it. What a dead worker has left is little, and all read.
 */
static int fill(struct worker *w)
{
	int rc = w->eof ? -EPIPE : 0;
	while (rc == 0 && (w->died || chan_buffered(&w->chan) < CHAN_CHUNK)) {
		rc = chan_fill(&w->chan);
		if (!w->died)
			break; /* one read a round: the others wait too */
	}
	if (rc < 0 && rc != -EAGAIN)
		w->eof = true;
	return rc;
}

/* What it shares with us makes no sense: it will never be heard of. */
static void condemn(struct pool *p, struct worker *w)
{
	w->eof = true;
	(void)pool_kill_worker(p, (size_t)(w - p->workers));
}

/* Takes in what the worker has sent, and the answers to its set-up, which are
 * empty. */
static void hear_worker(struct pool *p, struct worker *w)
{
	if (w->state == WORKER_NONE || w->state == WORKER_GONE)
		return;
	int rc = fill(w);
	struct wire_head h;
	if (rc < 0 && rc != -EAGAIN && rc != -EPIPE)
		condemn(p, w);
	while (w->setup_left > 0 && chan_head(&w->chan, &h) == 0 &&
	       chan_whole(&w->chan) && chan_finish(&w->chan) == 0) {
		w->setup_left--;
		p->setup_failed |= (h.flags & WIRE_FAILED) != 0;
	}
	(void)ready_if_set_up(w);
	/* Dead, and no whole message left to read: also where a child of its
	 * task still holds the socket open. */
	if (w->died && rc < 0 &&
	    (chan_head(&w->chan, &h) < 0 || !chan_whole(&w->chan))) {
		w->stillborn +=
			w->state == WORKER_STARTING || w->state == WORKER_SETUP;
		(void)worker_step(w, WORKER_DIED);
	}
}

static bool any_died(const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->workers[i].died && p->workers[i].state != WORKER_GONE)
			return true;
	return false;
}

static bool any_ready(void *of)
{
	const struct pool *p = of;
	for (size_t i = 0; i < p->n; i++) {
		const struct worker *w = &p->workers[i];
		if (!w->eof && link_ready(&w->chan.link, chan_wants(&w->chan)))
			return true;
	}
	return false;
}

static void all_sleep(void *of, bool sleep)
{
	const struct pool *p = of;
	for (size_t i = 0; i < p->n; i++) {
		struct worker *w = &p->workers[i];
		link_sleeps(&w->chan.link, chan_wants(&w->chan), sleep);
	}
}

static void set_polls(struct pool *p)
{
	p->polls[POLL_CONTROL] =
		(struct pollfd){.fd = p->control.link.fd, .events = POLLIN};
	if (chan_pending(&p->control) && !p->control.writing.open)
		p->polls[POLL_CONTROL].events |= POLLOUT;
	p->polls[POLL_TEMPLATE] =
		(struct pollfd){.fd = p->watch, .events = POLLIN};
	for (size_t i = 0; i < p->n; i++) {
		struct worker *w = &p->workers[i];
		struct pollfd *f = &p->polls[POLL_WORKERS + i];
		*f = (struct pollfd){.fd = w->eof ? -1 : w->chan.link.fd,
				     .events = POLLIN};
		if (w->eof || w->chan.link.fd < 0 || !chan_pending(&w->chan))
			continue;
		int rc = chan_flush(&w->chan);
		if (rc == -EAGAIN && !link_has_rings(&w->chan.link))
			f->events |= POLLOUT;
		else if (rc < 0 && rc != -EAGAIN && rc != -EPIPE)
			condemn(p, w);
	}
}

/* A task may have stopped it: all that is asked of it would be waited for for
 * ever. */
static void continue_template(const struct pool *p)
{
	(void)kill(p->template, SIGCONT);
}

int pool_poll(struct pool *p, int ms)
{
	if (p->lost)
		return -EPIPE;
	(void)chan_flush(&p->control);
	set_polls(p);
	const struct spin_look look = {any_ready, all_sleep, p};
	int rc = spin_poll(&p->spin, p->polls, (nfds_t)(p->n + POLL_WORKERS),
			   any_died(p) ? 0 : ms, pool_has_cores(p, 0), &look);
	if (rc < 0)
		return rc;
	if (rc == 0 && ms > 0 && !any_ready(p))
		continue_template(p);
	rc = 0;
	if (p->polls[POLL_CONTROL].revents)
		rc = hear_template(p);
	if (rc < 0 || p->polls[POLL_TEMPLATE].revents) {
		p->lost = true;
		return -EPIPE;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->polls[POLL_WORKERS + i].revents || p->workers[i].died ||
		    link_ready(&p->workers[i].chan.link, LINK_NONE))
			hear_worker(p, &p->workers[i]);
	return 0;
}

void pool_look(struct pool *p)
{
	if (clock_now() - p->spin.polled > LOOK_NS)
		(void)pool_poll(p, 0); /* what is lost is seen again */
}
