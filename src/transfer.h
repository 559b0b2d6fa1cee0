/*
 * Many transfers at once, over one engine: whose turn it is, and how many
 * requests at once serve.
 *
 * At most `most` requests are on the way. A service that is asked for too much
 * says so (503, 429, or nothing in time): then half as many, and slowly more
 * again while all goes well.
 */
#ifndef POOL_TRANSFER_H
#define POOL_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "item.h"

struct transfer {
	struct item_run run;
	struct item *items; /* the caller's, initialised by item_init() */
	size_t n;
	size_t begun; /* items 0 to begun - 1 are, or have ended */
	size_t *open; /* those that have begun and not ended, in order */
	size_t n_open;
	size_t most;
	double window; /* requests at once, 1 to most */
	uint64_t throttled;
	uint64_t ended;
	uint64_t narrowed; /* when, in nanoseconds */
	uint64_t moved;	   /* bytes of items that have ended */
	uint64_t total;
};

/* Takes a user of `http` and the items; those are to be filled in by then. At
 * most `most` requests at once, and no more than there can be open files for.
 * 0 or -ENOMEM. */
int transfer_init(struct transfer *t, struct http *http, struct item *items,
		  size_t n, size_t most);

/* Works for at most `ms` milliseconds. 1: all items have ended; 0: go on;
 * -errno: of the engine. */
int transfer_step(struct transfer *t, int ms);

/* Items that have ended, bytes moved, and bytes in all, as far as known. */
struct transfer_progress {
	size_t items;
	uint64_t moved;
	uint64_t total;
};
struct transfer_progress transfer_progress(const struct transfer *t);

/* Ends whatever is on the way, as cancelled; frees all but the items' array. */
void transfer_release(struct transfer *t);

#endif
