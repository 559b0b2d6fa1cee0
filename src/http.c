/*
 * Exchanges over libcurl's multi interface.
 *
 * An exchange is with libcurl (it has a handle) or waits for its next try in a
 * list. Handles are used again: the connections are the multi's, not theirs.
 */
#include "http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "digest.h"

enum {
	IDLE = 64,	   /* handles kept */
	CONNECTIONS = 128, /* kept alive */
};

struct http {
	CURLM *multi;
	unsigned users;
	CURL *idle[IDLE];
	size_t n_idle;
	struct exchange *waiting;
	struct exchange_setup setup;
	char *ca_file;
	char *agent;
	uint64_t random;
	uint64_t throttled;
	size_t done; /* in this step */
};

/* TLS writes to sockets in a way that may raise SIGPIPE, also where a
 * connection is closed, and R has a handler of its own for it: one that comes
 * from here is taken back. */
struct held {
	sigset_t before;
	bool had;
};

static struct held pipe_hold(void)
{
	struct held held;
	sigset_t pipe_alone;
	sigset_t pending;
	(void)sigemptyset(&pipe_alone);
	(void)sigaddset(&pipe_alone, SIGPIPE);
	(void)sigpending(&pending);
	held.had = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_alone, &held.before);
	return held;
}

static void pipe_let_go(const struct held *held)
{
	sigset_t pipe_alone;
	sigset_t pending;
	(void)sigemptyset(&pipe_alone);
	(void)sigaddset(&pipe_alone, SIGPIPE);
	(void)sigpending(&pending);
	if (!held->had && sigismember(&pending, SIGPIPE) == 1) {
		int which;
		(void)sigwait(&pipe_alone, &which);
	}
	(void)pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

/* 0 to 1 (xorshift64): only spreads tries. */
static double random_part(struct http *h)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return (double)(h->random >> 11) / (double)(UINT64_C(1) << 53);
}

int http_open(struct http **out, const char *ca_file, const char *agent)
{
	static bool ready; /* once for a process and its forks */
	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -EIO;
	ready = true;
	struct http *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->users = 1;
	h->multi = curl_multi_init();
	h->agent = strdup(agent);
	h->ca_file = ca_file ? strdup(ca_file) : NULL;
	h->setup = (struct exchange_setup){h->ca_file, h->agent, 0};
	if (digest_random(&h->random, sizeof(h->random)) < 0)
		h->random = clock_now();
	h->random |= 1;
	if (!h->multi || !h->agent || (ca_file && !h->ca_file) ||
	    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
			      (long)CONNECTIONS) != CURLM_OK) {
		http_unref(h);
		return -ENOMEM;
	}
	*out = h;
	return 0;
}

struct http *http_ref(struct http *h)
{
	h->users++;
	return h;
}

void http_unref(struct http *h)
{
	if (!h || --h->users > 0)
		return;
	struct held held = pipe_hold();
	for (size_t i = 0; i < h->n_idle; i++)
		curl_easy_cleanup(h->idle[i]);
	(void)curl_multi_cleanup(h->multi);
	pipe_let_go(&held);
	free(h->ca_file);
	free(h->agent);
	free(h);
}

uint64_t http_throttled(const struct http *h)
{
	return h->throttled;
}

/* What it was told is forgotten: a URL with a signature, where things are. */
static void put_away(struct http *h, CURL *easy)
{
	curl_easy_reset(easy);
	if (h->n_idle < IDLE)
		h->idle[h->n_idle++] = easy;
	else
		curl_easy_cleanup(easy);
}

static int start_try(struct http *h, struct exchange *x)
{
	CURL *easy = h->n_idle > 0 ? h->idle[--h->n_idle] : curl_easy_init();
	if (!easy)
		return -ENOMEM;
	int rc = exchange_prepare(x, easy, &h->setup);
	if (rc == 0 && curl_multi_add_handle(h->multi, easy) != CURLM_OK)
		rc = -ENOMEM;
	if (rc < 0) {
		x->easy = NULL;
		put_away(h, easy);
	}
	return rc;
}

int http_add(struct http *h, struct exchange *x)
{
	x->tries = 0;
	x->skewed = false;
	x->next = NULL;
	return start_try(h, x);
}

static void wait_for(struct http *h, struct exchange *x)
{
	x->next = h->waiting;
	h->waiting = x;
}

static void wait_no_more(struct http *h, struct exchange *x)
{
	struct exchange **at = &h->waiting;
	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
	x->next = NULL;
}

void http_cancel(struct http *h, struct exchange *x)
{
	wait_no_more(h, x);
	if (!x->easy)
		return;
	struct held held = pipe_hold();
	(void)curl_multi_remove_handle(h->multi, x->easy);
	put_away(h, x->easy);
	pipe_let_go(&held);
	x->easy = NULL;
}

static void finish(struct http *h, struct exchange *x)
{
	h->done++;
	x->done(x);
}

/* Starts the tries whose moment has come; milliseconds until the next, at most
 * `ms`. */
static int start_due(struct http *h, int ms)
{
	uint64_t now = clock_now();
	struct exchange *x = h->waiting;
	while (x) {
		struct exchange *next = x->next;
		if (x->moment > now) {
			ms = clock_until(x->moment, ms);
			x = next;
			continue;
		}
		wait_no_more(h, x);
		int rc = start_try(h, x);
		if (rc == 0) {
			x = next;
			continue;
		}
		x->rc = rc;
		finish(h, x);
		x = h->waiting; /* whatever that has changed */
	}
	return ms;
}

/* The clock of this machine is wrong by more than the service bears: its own
 * time is taken from then on. */
static bool learn_time(struct http *h, struct exchange *x)
{
	enum { BEARABLE = 300 };
	if (x->answer.status != 403 || x->skewed || !x->account->key)
		return false;
	time_t theirs = answer_date(&x->answer, "date");
	time_t ours = time(NULL) + x->skew; /* others may have learned it */
	if (theirs < 0 || llabs((long long)(theirs - ours)) < BEARABLE)
		return false;
	h->setup.skew = theirs - time(NULL);
	x->skewed = true;
	x->moment = 0;
	return true;
}

static void end_try(struct http *h, CURL *easy, CURLcode code)
{
	char *of = NULL;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &of);
	struct exchange *x = (struct exchange *)(void *)of;
	(void)curl_multi_remove_handle(h->multi, easy);
	put_away(h, easy);
	bool again = exchange_again(x, code, random_part(h));
	h->throttled += x->throttled;
	if (again || (code == CURLE_OK && learn_time(h, x)))
		wait_for(h, x);
	else
		finish(h, x);
}

static int perform(struct http *h)
{
	int running;
	if (curl_multi_perform(h->multi, &running) != CURLM_OK)
		return -EIO;
	int left;
	for (CURLMsg *m = curl_multi_info_read(h->multi, &left); m;
	     m = curl_multi_info_read(h->multi, &left))
		if (m->msg == CURLMSG_DONE)
			end_try(h, m->easy_handle, m->data.result);
	return 0;
}

static int poll_for(struct http *h, int ms)
{
#if LIBCURL_VERSION_NUM >= 0x074200
	CURLMcode code = curl_multi_poll(h->multi, NULL, 0, ms, NULL);
#else
	CURLMcode code = curl_multi_wait(h->multi, NULL, 0, ms, NULL);
#endif
	return code == CURLM_OK ? 0 : -EIO;
}

static int work(struct http *h, int ms)
{
	uint64_t deadline = clock_now() + (uint64_t)ms * 1000000u;
	h->done = 0;
	for (;;) {
		int wait = start_due(h, clock_until(deadline, ms));
		int rc = perform(h);
		if (rc < 0 || h->done > 0 || clock_now() >= deadline)
			return rc;
		rc = poll_for(h, wait);
		if (rc < 0)
			return rc;
	}
}

int http_step(struct http *h, int ms)
{
	struct held held = pipe_hold();
	int rc = work(h, ms);
	pipe_let_go(&held);
	return rc;
}
