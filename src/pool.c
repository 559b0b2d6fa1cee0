/*
 * The session's pool.
 *
 * News of a death comes from the template, with its status; what the worker
 * wrote before it died is read first, so a result is never lost to the race of
 * the two sockets. A channel's end alone only stops it from being polled.
 */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "proc.h"
#include "shm.h"

enum { BOARD = 4096 };

enum { POLL_CONTROL, POLL_TEMPLATE, POLL_WORKERS };

static const uint64_t LOOK_NS = 1000000;

/* How long a template may leave its socket full of requests. */
static const uint64_t ASK_NS = 5000000000u;

int pool_open(struct pool *p, int control, pid_t template)
{
	*p = (struct pool){.owner = proc_self(),
			   .template = template,
			   .next_id = 1,
			   .board.fd = -1,
			   .cores = proc_cores()};
	spin_init(&p->spin);
	chan_init(&p->control, control);
	p->watch = proc_watch(template);
	if (p->watch < 0)
		p->watch = -1; /* the socket's end will do */
	p->polls = calloc(POLL_WORKERS, sizeof(*p->polls));
	p->shares = shm_create(&p->board, BOARD) == 0 &&
		    shm_map(&p->board, SHM_SHARED) == 0;
	return p->polls ? 0 : -ENOMEM;
}

bool pool_alive(const struct pool *p)
{
	return p->template > 0 && p->owner == proc_self();
}

static void wait_for_template(struct pool *p, int ms)
{
	uint64_t deadline = clock_now() + (uint64_t)ms * 1000000u;
	int status;
	while (!proc_reap(p->template, &status)) {
		int left = clock_until(deadline, 20);
		if (left == 0)
			(void)kill(p->template, SIGKILL);
		/* The socket ends when it leaves; without a pidfd, look again
		 * soon. */
		(void)io_wait(p->watch, POLLIN, left ? left : 1);
	}
}

static void drop_setup(struct pool *p)
{
	for (size_t i = 0; i < p->setups; i++)
		blob_unref(p->setup[i]);
	free(p->setup);
	p->setup = NULL;
	p->setups = 0;
}

void pool_close(struct pool *p, int ms)
{
	if (p->template > 0) {
		struct wire_head bye = {.kind = WIRE_BYE};
		if (chan_say(&p->control, &bye) == 0)
			(void)chan_flush(&p->control);
		for (size_t i = 0; i < p->n; i++)
			worker_release(&p->workers[i]);
		wait_for_template(p, ms);
	}
	chan_release(&p->control);
	shm_release(&p->board);
	io_close(&p->watch);
	drop_setup(p);
	free(p->workers);
	free(p->polls);
	*p = (struct pool){.watch = -1, .board.fd = -1};
	chan_init(&p->control, -1);
}

static int tell_template(struct pool *p, const struct wire_head *h)
{
	int rc = chan_say(&p->control, h);
	if (rc == 0)
		rc = chan_flush(&p->control);
	return rc == -EAGAIN ? 0 : rc;
}

static int queue_setup(struct pool *p, struct worker *w)
{
	for (size_t i = 0; i < p->setups; i++) {
		struct wire_head h;
		int rc = wire_unpack(p->setup[i]->buf.bytes, &h);
		if (rc == 0)
			rc = chan_queue(&w->chan, p->setup[i]);
		h = (struct wire_head){.kind = WIRE_RANGE,
				       .flags = WIRE_LAST | WIRE_QUIET,
				       .call = h.call,
				       .count = 1};
		if (rc == 0)
			rc = chan_say(&w->chan, &h);
		if (rc < 0)
			return rc;
		w->setup_left++;
	}
	return 0;
}

/* Sends the request to fork with the worker's end of the channel. */
static int ask_for(struct pool *p, const struct worker *w, int end)
{
	struct wire_head h = {.kind = WIRE_FORK, .first = w->id};
	uint64_t deadline = clock_now() + ASK_NS;
	int rc = chan_give_up(&p->control);
	while (rc == 0) {
		rc = chan_flush(&p->control);
		if (rc == 0)
			rc = chan_say_fd(&p->control, &h, end);
		if (rc != -EAGAIN)
			return rc;
		rc = clock_now() < deadline ? 0 : -ETIMEDOUT;
		(void)io_wait(p->control.link.fd, POLLOUT, CHAN_SLICE);
	}
	return rc;
}

int pool_start_worker(struct pool *p, size_t slot)
{
	struct worker *w = &p->workers[slot];
	int end[2];
	int rc = io_pair(end);
	if (rc < 0)
		return rc;
	bool again = w->state == WORKER_GONE;
	worker_release(w);
	chan_init(&w->chan, end[0]);
	w->id = p->next_id++;
	w->chan.link.offers = p->shares;
	rc = worker_step(w, WORKER_ASKED);
	if (rc == 0)
		rc = queue_setup(p, w);
	if (rc == 0)
		rc = ask_for(p, w, end[1]);
	io_close(&end[1]);
	if (rc < 0)
		worker_release(w);
	else
		w->restarts += again;
	return rc;
}

int pool_kill_worker(struct pool *p, size_t slot)
{
	const struct worker *w = &p->workers[slot];
	if (w->state == WORKER_NONE || w->state == WORKER_GONE)
		return 0;
	/* What a task has started goes with it. */
	struct wire_head h = {.kind = WIRE_KILL,
			      .first = w->id,
			      .extra = w->state == WORKER_BUSY};
	return tell_template(p, &h);
}

void pool_stop_worker(struct pool *p, size_t slot, uint32_t call)
{
	const struct worker *w = &p->workers[slot];
	struct record *record = link_record(&w->chan.link);
	if (record && w->state == WORKER_BUSY)
		record_stop(record, call);
}

int pool_interrupt_worker(struct pool *p, size_t slot, uint32_t call)
{
	const struct worker *w = &p->workers[slot];
	struct wire_head h = {
		.kind = WIRE_INTERRUPT, .call = call, .first = w->id};
	if (w->state != WORKER_BUSY)
		return 0;
	pool_stop_worker(p, slot, call);
	return tell_template(p, &h);
}

static int resize(struct pool *p, size_t n)
{
	struct worker *workers = calloc(n, sizeof(*workers));
	struct pollfd *polls = calloc(n + POLL_WORKERS, sizeof(*polls));
	if (!workers || !polls) {
		free(workers);
		free(polls);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->n; i++)
		worker_release(&p->workers[i]);
	free(p->workers);
	free(p->polls);
	p->workers = workers;
	p->polls = polls;
	p->n = n;
	for (size_t i = 0; i < n; i++)
		worker_init(&workers[i]);
	return 0;
}

int pool_restart(struct pool *p, size_t n)
{
	int rc = 0;
	for (size_t i = 0; i < p->n && rc == 0; i++)
		rc = pool_kill_worker(p, i);
	if (rc == 0)
		rc = resize(p, n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = pool_start_worker(p, i);
	return rc;
}

int pool_set_setup(struct pool *p, struct blob *const *calls, size_t n)
{
	struct blob **setup = calloc(n ? n : 1, sizeof(*setup));
	if (!setup)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		setup[i] = blob_ref(calls[i]);
	drop_setup(p);
	p->setup = setup;
	p->setups = n;
	return 0;
}

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

bool pool_has_cores(const struct pool *p, size_t more)
{
	return 1 + pool_count(p, WORKER_BUSY) + more <= p->cores;
}

size_t pool_count(const struct pool *p, enum worker_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n; i++)
		n += p->workers[i].state == state;
	return n;
}
