/*
 * One transfer and its parts.
 *
 * An item that fails cancels its other parts at once. The part whose end made
 * it fail is out of the list by then, and freed by whoever called.
 */
#include "item.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

enum {
	LINES = 8,	       /* headers that a part may have of its own */
	ERROR_BODY = 64 << 10, /* bytes kept of an error's body */
	HASH_ONCE = 4 << 20,   /* some 10 ms */
	HASH_PIECE = 64 << 10,
};

/* ---- Parts --------------------------------------------------------------- */

struct part *part_new(struct item *it, const char *verb, const char *query)
{
	struct part *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	exchange_init(&p->x, ERROR_BODY);
	p->item = it;
	size_t size = strlen(it->url) + strlen(query) + 2;
	p->url = malloc(size);
	p->lines = calloc(LINES, sizeof(char *));
	if (!p->url || !p->lines) {
		part_drop(p);
		return NULL;
	}
	const char *joint = *query == '\0'	   ? ""
			    : strchr(it->url, '?') ? "&"
						   : "?";
	(void)snprintf(p->url, size, "%s%s%s", it->url, joint, query);
	p->x.verb = verb;
	p->x.url = p->url;
	p->x.account = &it->run->account;
	p->x.retries = it->run->retries;
	p->x.timeout = it->run->timeout;
	p->x.of = p;
	return p;
}

void part_drop(struct part *p)
{
	exchange_release(&p->x);
	for (size_t i = 0; i < p->n_lines && i < LINES; i++)
		free(p->lines[i]);
	free((void *)p->lines);
	free((void *)p->headers);
	free(p->url);
	free(p);
}

void part_header(struct part *p, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	char *line = n > 0 && (size_t)n < sizeof(text) ? strdup(text) : NULL;
	if (p->n_lines < LINES && line)
		p->lines[p->n_lines++] = line;
	else {
		free(line);
		p->n_lines = LINES + 1;
	}
}

bool part_for_all(const char *line)
{
	return strncasecmp(line, "x-ms-lease-id:", 14) == 0 ||
	       strncasecmp(line, "x-ms-encryption-", 16) == 0 ||
	       strncasecmp(line, "x-ms-version:", 13) == 0;
}

bool part_for_any(const char *line)
{
	(void)line;
	return true;
}

static void unlink_part(struct part *p)
{
	struct part **at = &p->item->parts;
	while (*at && *at != p)
		at = &(*at)->later;
	if (*at)
		*at = p->later;
	p->item->run->active--;
}

static void on_done(struct exchange *x)
{
	struct part *p = x->of;
	struct item *it = p->item;
	unlink_part(p);
	it->attempts += x->tries - 1;
	p->ended(p);
	part_drop(p);
}

/* Its own headers and those of the item's that are wanted; 0 or -ENOMEM. */
static int gather_headers(struct part *p, bool (*wanted)(const char *line))
{
	const struct item *it = p->item;
	size_t n = 0;
	p->headers = calloc(it->n_headers + LINES, sizeof(char *));
	if (!p->headers || p->n_lines > LINES)
		return -ENOMEM;
	for (; n < p->n_lines; n++)
		p->headers[n] = p->lines[n];
	for (size_t i = 0; i < it->n_headers; i++)
		if (wanted(it->headers[i]))
			p->headers[n++] = it->headers[i];
	p->x.headers = p->headers;
	p->x.n_headers = n;
	return 0;
}

void part_send(struct part *p, bool (*wanted)(const char *line),
	       void (*ended)(struct part *p))
{
	struct item *it = p->item;
	int rc = gather_headers(p, wanted);
	p->ended = ended;
	p->x.done = on_done;
	if (rc == 0)
		rc = http_add(it->run->http, &p->x);
	if (rc < 0) {
		part_drop(p);
		item_fail(it, "the request cannot be made: %s", strerror(-rc));
		return;
	}
	p->later = it->parts;
	it->parts = p;
	it->run->active++;
}

static size_t url_size(const char *url)
{
	return strcspn(url, "?#");
}

/* Whatever a header may hold, it has no line's end; it is cut where too long.
 */
void part_keep(const struct part *p)
{
	struct item *it = p->item;
	const struct exchange *x = &p->x;
	it->status = x->answer.status;
	answer_code(&x->answer, &x->text, it->code, sizeof(it->code));
	(void)snprintf(it->request_id, sizeof(it->request_id), "%s",
		       answer_header(&x->answer, "x-ms-request-id"));
}

bool part_succeeded(struct part *p)
{
	struct item *it = p->item;
	const struct exchange *x = &p->x;
	int size = (int)url_size(it->url);
	part_keep(p);
	if (x->rc == -ENODATA) {
		item_fail(it, "'%s' became shorter while it was sent",
			  it->path ? it->path : "");
	} else if (x->rc == -EMSGSIZE || (x->rc == -EFBIG && !it->path)) {
		item_fail(it, "%s %.*s: more was sent than asked for", x->verb,
			  size, it->url);
	} else if (x->rc == -ENOTCONN || x->rc == -ETIMEDOUT) {
		item_fail(it, "%s %.*s: %s", x->verb, size, it->url, x->error);
	} else if (x->rc < 0) {
		item_fail_local(it, it->uploads ? "read" : "write", x->rc);
	} else if (x->answer.status < 200 || x->answer.status > 299) {
		item_fail(it, "%s %.*s: %d%s%s", x->verb, size, it->url,
			  x->answer.status, it->code[0] ? " " : "", it->code);
	} else {
		it->code[0] = '\0';
		it->run->ended++;
		return true;
	}
	return false;
}

/* What fails has an error, also where there is no memory for one. */
static char no_memory[] = "out of memory";

/* ---- Items --------------------------------------------------------------- */

static void cancel_parts(struct item *it)
{
	while (it->parts) {
		struct part *p = it->parts;
		http_cancel(it->run->http, &p->x);
		it->attempts += p->x.tries > 0 ? p->x.tries - 1 : 0;
		unlink_part(p);
		part_drop(p);
	}
}

void item_end(struct item *it)
{
	cancel_parts(it);
	if (it->fd >= 0)
		io_close(&it->fd);
	newfile_drop(&it->file);
	digest_release(&it->whole);
	digest_release(&it->piece);
	buf_release(&it->list);
	if (it->error)
		buf_release(&it->memory);
	it->seconds = (double)(clock_now() - it->begun) / 1e9;
	it->stage = ITEM_ENDED;
}

void item_fail(struct item *it, const char *format, ...)
{
	if (it->stage == ITEM_ENDED)
		return;
	va_list args;
	va_start(args, format);
	char *text;
	if (vasprintf(&text, format, args) < 0)
		text = no_memory;
	va_end(args);
	it->error = text;
	item_end(it);
}

void item_fail_local(struct item *it, const char *verb, int rc)
{
	if (it->path)
		item_fail(it, "cannot %s '%s': %s", verb, it->path,
			  strerror(-rc));
	else
		item_fail(it, "cannot %s: %s", verb, strerror(-rc));
}

static int hash(struct item *it, const void *bytes, size_t n)
{
	int rc = digest_add(&it->whole, bytes, n);
	if (rc == 0 && it->piece.state)
		rc = digest_add(&it->piece, bytes, n);
	it->hashed += n;
	return rc;
}

int item_hash(struct item *it, int fd, uint64_t end)
{
	unsigned char piece[HASH_PIECE];
	uint64_t most = it->hashed + HASH_ONCE;
	uint64_t stop = end < most ? end : most;
	int rc = 0;
	while (it->hashed < stop && rc == 0) {
		uint64_t left = stop - it->hashed;
		size_t n = left < HASH_PIECE ? (size_t)left : HASH_PIECE;
		const void *from = piece;
		if (fd < 0) {
			from = (it->uploads ? it->bytes : it->memory.bytes) +
			       it->hashed;
		} else {
			ssize_t got = pread(fd, piece, n, (off_t)it->hashed);
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return got < 0 ? -errno : -ENODATA;
			n = (size_t)got;
		}
		rc = hash(it, from, n);
	}
	return rc < 0 ? rc : it->hashed >= end;
}

uint64_t item_piece(const struct item *it)
{
	uint64_t left = it->total - it->next;
	return left < it->blocksize ? left : it->blocksize;
}

void item_spread(struct item *it)
{
	uint64_t needed = (it->total + ITEM_BLOCKS - 1) / ITEM_BLOCKS;
	if (it->blocksize < needed)
		it->blocksize = needed;
}

uint64_t item_moved(const struct item *it)
{
	uint64_t moved = it->moved;
	for (const struct part *p = it->parts; p; p = p->later)
		moved +=
			it->uploads ? p->x.sent : p->x.received + p->x.text.len;
	return moved < it->total ? moved : it->total;
}

void item_release(struct item *it)
{
	if (it->stage != ITEM_NEW && it->stage != ITEM_ENDED)
		item_fail(it, "cancelled");
	if (it->error != no_memory)
		free(it->error);
	buf_release(&it->memory);
	it->error = NULL;
}
