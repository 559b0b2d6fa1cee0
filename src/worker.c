/* The session's view of one worker: one table, no conditions elsewhere. */
#include "worker.h"

#include <errno.h>

/* Entries left out are 0: the event cannot happen in that state. A state is
 * stored as its number + 1. */
#define TO(state) ((unsigned char)((state) + 1))
static const unsigned char next_state[WORKER_STATES][WORKER_EVENTS] = {
	[WORKER_NONE] = {[WORKER_ASKED] = TO(WORKER_STARTING)},
	[WORKER_STARTING] = {[WORKER_STARTED] = TO(WORKER_SETUP),
			     [WORKER_FAILED] = TO(WORKER_NONE),
			     [WORKER_DIED] = TO(WORKER_GONE)},
	[WORKER_SETUP] = {[WORKER_READY] = TO(WORKER_IDLE),
			  [WORKER_DIED] = TO(WORKER_GONE)},
	[WORKER_IDLE] = {[WORKER_CLAIMED] = TO(WORKER_BUSY),
			 [WORKER_DIED] = TO(WORKER_GONE)},
	[WORKER_BUSY] = {[WORKER_DONE] = TO(WORKER_IDLE),
			 [WORKER_DIED] = TO(WORKER_GONE)},
	[WORKER_GONE] = {[WORKER_ASKED] = TO(WORKER_STARTING)},
};

const char *worker_state_name(const struct worker *w)
{
	static const char *const names[WORKER_STATES] = {
		[WORKER_NONE] = "none",	  [WORKER_STARTING] = "starting",
		[WORKER_SETUP] = "setup", [WORKER_IDLE] = "idle",
		[WORKER_BUSY] = "busy",	  [WORKER_GONE] = "gone"};
	return names[w->died ? WORKER_GONE : w->state];
}

void worker_init(struct worker *w)
{
	*w = (struct worker){.state = WORKER_NONE};
	chan_init(&w->chan, -1);
}

void worker_release(struct worker *w)
{
	const struct worker before = *w;
	chan_release(&w->chan);
	worker_init(w);
	w->done = before.done;
	w->restarts = before.restarts;
	w->stillborn = before.stillborn;
}

bool worker_free(const struct worker *w)
{
	return w->state == WORKER_IDLE && !w->died && !w->eof;
}

int worker_step(struct worker *w, enum worker_event event)
{
	unsigned char next = next_state[w->state][event];
	if (next == 0)
		return -EINVAL;
	w->state = (enum worker_state)(next - 1);
	return 0;
}
