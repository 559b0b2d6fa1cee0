/*
 * The session's view of one worker: its channel and its state.
 *
 * A life is one table of states and events (worker.c, and the same table in
 * ARCHITECTURE.md). A slot keeps its number while workers come and go in it.
 */
#ifndef POOL_WORKER_H
#define POOL_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chan.h"

enum worker_state {
	WORKER_NONE,	 /* no process in the slot */
	WORKER_STARTING, /* asked of the template */
	WORKER_SETUP,	 /* going through what the others were told */
	WORKER_IDLE,
	WORKER_BUSY, /* has a claim */
	WORKER_GONE, /* left, its status known, not yet replaced */
	WORKER_STATES
};

enum worker_event {
	WORKER_ASKED,	/* a fork was asked for */
	WORKER_STARTED, /* the template has it */
	WORKER_FAILED,	/* the template could not fork it */
	WORKER_READY,	/* it has gone through its set-up */
	WORKER_CLAIMED, /* it was given a range */
	WORKER_DONE,	/* its result is here */
	WORKER_DIED,	/* the template has buried it */
	WORKER_EVENTS
};

struct worker {
	enum worker_state state;
	uint64_t id; /* of the process, never used again */
	pid_t pid;
	int status; /* wait status once it is gone, or -errno of its fork */
	bool eof;   /* the channel has ended */
	bool died;  /* reported; what it wrote before may still be unread */
	struct chan chan;

	uint32_t setup_left; /* set-up messages not answered yet */
	uint32_t call;	     /* the call it was last told */
	uint32_t kept;	     /* the call whose function it keeps; 0: none */
	size_t first, count; /* its claim, while busy */
	bool claims;	     /* it claims by itself, what is not known */
	uint64_t told;	     /* when its claim was handed out */
	size_t expired;	     /* it is killed for that element; + 1 */
	uint64_t done;	     /* elements finished in the slot */
	unsigned restarts;   /* workers that took the place of one */
	unsigned stillborn;  /* workers in a row that died in their set-up */
};

/* "starting", "setup", "idle", "busy", "gone" or "none". */
const char *worker_state_name(const struct worker *w);

/* Can it be given a claim? */
bool worker_free(const struct worker *w);

void worker_init(struct worker *w);

/* What is counted is the slot's, and stays. */
void worker_release(struct worker *w);

/* Moves along the table: 0, or -EINVAL where the event cannot happen. */
int worker_step(struct worker *w, enum worker_event event);

#endif
