/*
 * Many transfers at once.
 *
 * Items that have begun come first, in order: few files are open, and a large
 * one gets all the requests that those before it leave.
 */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "append.h"
#include "clock.h"
#include "download.h"
#include "upload.h"

static const double narrow_pause = 0.5; /* seconds between two cuts */

/* A request may have a connection and a file: so many that there are enough
 * descriptors for all, and for whatever else the process does. */
static size_t affordable(size_t most)
{
	enum { OTHERS = 64 };
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY) {
		rlim_t n =
			limit.rlim_cur > OTHERS ? limit.rlim_cur - OTHERS : 0;
		if (n / 2 < most)
			most = (size_t)(n / 2);
	}
	return most > 0 ? most : 1;
}

int transfer_init(struct transfer *t, struct http *http, struct item *items,
		  size_t n, size_t most)
{
	t->items = items;
	t->n = n;
	t->most = affordable(most);
	t->window = (double)t->most;
	t->run.http = http_ref(http);
	t->throttled = http_throttled(http);
	t->open = calloc(t->most, sizeof(*t->open));
	if (!t->open)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		items[i].run = &t->run;
		items[i].fd = items[i].file.fd = -1;
		items[i].attempts = 1;
		items[i].stage = ITEM_NEW;
		if (items[i].blocksize == 0)
			items[i].blocksize = 1;
	}
	return 0;
}

void transfer_release(struct transfer *t)
{
	for (size_t i = 0; i < t->n; i++)
		item_release(&t->items[i]);
	t->n = 0;
	free(t->open);
	t->open = NULL;
	sign_account_release(&t->run.account);
	http_unref(t->run.http);
	t->run.http = NULL;
}

static bool room(const struct transfer *t)
{
	return (double)t->run.active + 1 <= t->window;
}

/* Asks for what an item can ask for now; true where it has more to do itself.
 */
static bool drive(const struct transfer *t, struct item *it)
{
	int rc = 1;
	while (rc == 1 && room(t))
		rc = !it->uploads ? download_next(it)
		     : it->append ? append_next(it)
				  : upload_next(it);
	return rc == -EAGAIN;
}

static void close_ended(struct transfer *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->n_open; i++) {
		const struct item *it = &t->items[t->open[i]];
		if (it->stage != ITEM_ENDED) {
			t->open[kept++] = t->open[i];
			continue;
		}
		t->moved += it->error ? item_moved(it) : it->total;
		t->total += it->total;
	}
	t->n_open = kept;
}

/* True where some item has more to do than to wait: making digests, of which
 * there is only so much before the network is looked at again. */
static bool fill(struct transfer *t)
{
	enum { DIGESTS = 4 };
	int made = 0;
	close_ended(t);
	for (size_t i = 0; i < t->n_open && room(t) && made < DIGESTS; i++)
		made += drive(t, &t->items[t->open[i]]);
	close_ended(t); /* whose digest was the last thing to do */
	while (room(t) && t->n_open < t->most && t->begun < t->n &&
	       made < DIGESTS) {
		struct item *it = &t->items[t->begun];
		it->begun = clock_now();
		t->open[t->n_open++] = t->begun++;
		made += drive(t, it);
		close_ended(t); /* it may be over already */
	}
	return made > 0;
}

static void adapt(struct transfer *t)
{
	uint64_t throttled = http_throttled(t->run.http);
	uint64_t now = clock_now();
	if (throttled > t->throttled &&
	    now - t->narrowed > clock_seconds(narrow_pause)) {
		t->window = t->window > 2 ? t->window / 2 : 1;
		t->narrowed = now;
	}
	t->throttled = throttled;
	for (; t->ended < t->run.ended; t->ended++)
		if (t->window < (double)t->most)
			t->window += 1 / t->window;
	if (t->window > (double)t->most)
		t->window = (double)t->most;
}

int transfer_step(struct transfer *t, int ms)
{
	uint64_t deadline = clock_now() + (uint64_t)ms * 1000000u;
	for (;;) {
		bool more = fill(t);
		if (t->begun == t->n && t->n_open == 0)
			return 1;
		int left = clock_until(deadline, ms);
		bool waits = !more && t->run.active > 0;
		int rc = http_step(t->run.http, waits ? left : 0);
		if (rc < 0)
			return rc;
		adapt(t);
		if (left == 0)
			return 0;
	}
}

struct transfer_progress transfer_progress(const struct transfer *t)
{
	struct transfer_progress p = {t->begun - t->n_open, t->moved, t->total};
	for (size_t i = 0; i < t->n_open; i++) {
		const struct item *it = &t->items[t->open[i]];
		p.items += it->stage == ITEM_ENDED;
		p.moved += item_moved(it);
		p.total += it->total;
	}
	return p;
}
