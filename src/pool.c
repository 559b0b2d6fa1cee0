/*
 * The session's pool: what is asked of template and workers.
 */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "io.h"
#include "proc.h"
#include "shm.h"

enum { BOARD = 4096 };

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
	p->polls = calloc(POOL_POLLS, sizeof(*p->polls));
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
	struct pollfd *polls = calloc(n + POOL_POLLS, sizeof(*polls));
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
