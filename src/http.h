/*
 * Exchanges, many at once, over connections that are kept alive: libcurl's
 * multi interface, and when each is tried again.
 *
 * One process's, one thread's; a fork must leave it alone, its memory included:
 * the connections are the parent's. Nothing here runs before http_step(), and
 * only `done` of an exchange is called from there, never from a callback of
 * libcurl's.
 */
#ifndef POOL_HTTP_H
#define POOL_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

struct http;

/* A new engine with one user; `ca_file` (NULL: the system's) and `agent` are
 * copied. 0 or -errno. */
int http_open(struct http **out, const char *ca_file, const char *agent);
struct http *http_ref(struct http *h);

/* The last user's ends it. All exchanges are done or cancelled by then. */
void http_unref(struct http *h);

/* From now on `x` is the engine's until it is done or cancelled. 0, or -errno
 * and it is not. */
int http_add(struct http *h, struct exchange *x);
void http_cancel(struct http *h, struct exchange *x);

/* Works for at most `ms` milliseconds, or until an exchange is done. 0 or
 * -errno. */
int http_step(struct http *h, int ms);

/* How many tries of this engine were put off because of too much asked at once:
 * it only grows. */
uint64_t http_throttled(const struct http *h);

#endif
