/*
 * Receiving one blob.
 *
 * An empty blob has no range: it is asked for once more, without one. What is
 * received into memory grows with the first part, and is of its whole size from
 * then on.
 */
#include "download.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void no_memory(struct item *it)
{
	item_fail_local(it, "receive", -ENOMEM);
}

static bool for_ranges(const char *line)
{
	return strncasecmp(line, "range:", 6) != 0 &&
	       strncasecmp(line, "x-ms-range:", 11) != 0;
}

/* Conditions hold for the first part; the others are bound to what it was. */
static bool for_later(const char *line)
{
	return for_ranges(line) && strncasecmp(line, "if-", 3) != 0;
}

/* A try that broke may have written more than there is now: of a blob that was
 * longer, before another took its place. */
static int cut(const struct item *it)
{
	int rc;
	do
		rc = ftruncate(it->file.fd, (off_t)it->total);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static void finish(struct item *it)
{
	int rc = it->path ? cut(it) : 0;
	if (it->path && rc == 0)
		rc = newfile_publish(&it->file);
	if (rc < 0)
		item_fail_local(it, "write", rc);
	else
		item_end(it);
}

/* All bytes are there. */
static void complete(struct item *it)
{
	bool check = it->md5 && it->md5_text[0] != '\0';
	int rc = check ? digest_start(&it->whole) : 0;
	if (rc < 0)
		item_fail_local(it, "check", rc);
	else if (check)
		it->stage = ITEM_CHECK;
	else
		finish(it);
}

static int check(struct item *it)
{
	char md5[DIGEST_MD5_TEXT];
	int rc = item_hash(it, it->file.fd, it->total);
	if (rc == 0)
		return -EAGAIN;
	if (rc == 1)
		rc = digest_end(&it->whole, md5);
	if (rc < 0)
		item_fail_local(it, "check", rc);
	else if (strcmp(md5, it->md5_text) != 0)
		item_fail(it, "GET %.*s: what came has another MD5 digest",
			  (int)strcspn(it->url, "?#"), it->url);
	else
		finish(it);
	return 0;
}

/* ---- The first part ------------------------------------------------------ */

static void wrong_answer(struct item *it)
{
	item_fail(it, "GET %.*s: not the range that was asked for",
		  (int)strcspn(it->url, "?#"), it->url);
}

/* What the answer says of the whole. */
static bool take_head(struct item *it, struct part *p)
{
	const struct answer *a = &p->x.answer;
	uint64_t first = 0;
	uint64_t last = 0;
	uint64_t got = it->path ? p->x.received : p->x.text.len;
	const char *md5 = answer_header(a, "x-ms-blob-content-md5");
	if (a->status == 206) {
		if (!answer_range(a, &first, &last, &it->total) || first != 0 ||
		    last + 1 != got || got > p->length ||
		    (got < p->length && got != it->total)) {
			it->total = 0;
			return false;
		}
	} else {
		/* Whatever came before the connection ended would do. */
		if (*answer_header(a, "content-length") == '\0' &&
		    *answer_header(a, "transfer-encoding") == '\0')
			return false;
		it->total = got;
		if (*md5 == '\0')
			md5 = answer_header(a, "content-md5");
	}
	(void)snprintf(it->md5_text, sizeof(it->md5_text), "%s",
		       strlen(md5) == DIGEST_MD5_TEXT - 1 ? md5 : "");
	const char *etag = answer_header(a, "etag");
	if (strlen(etag) < sizeof(it->etag))
		(void)snprintf(it->etag, sizeof(it->etag), "%s", etag);
	it->moved = it->next = got;
	return it->next == it->total || it->etag[0] != '\0';
}

/* The bytes of the first part become the beginning of the whole. */
static int take_bytes(struct item *it, struct buf *text)
{
	if (it->path)
		return 0;
	if (it->total > SIZE_MAX / 2)
		return -ENOMEM;
	it->memory = *text;
	it->memory.max = SIZE_MAX;
	*text = (struct buf){0};
	int rc = buf_reserve(&it->memory, (size_t)it->total - it->memory.len);
	it->memory.len = (size_t)it->total;
	return rc;
}

static void ask_without_range(struct item *it);

static void on_first(struct part *p)
{
	struct item *it = p->item;
	if (p->x.rc == 0 && p->x.answer.status == 416 && p->length > 0) {
		ask_without_range(it);
		return;
	}
	if (!part_succeeded(p))
		return;
	if (!take_head(it, p)) {
		wrong_answer(it);
		return;
	}
	if (take_bytes(it, &p->x.text) < 0)
		no_memory(it);
	else if (it->next == it->total)
		complete(it);
	else
		it->stage = ITEM_PARTS;
}

static void set_sink(struct part *p, uint64_t first, uint64_t length)
{
	struct item *it = p->item;
	p->first = first;
	p->length = length;
	p->x.sink.most = length;
	p->x.sink.offset = first;
	p->x.sink.fd = it->file.fd;
	p->x.sink.at = it->memory.bytes ? it->memory.bytes + first : NULL;
}

static void ask_without_range(struct item *it)
{
	struct part *p = part_new(it, "GET", "");
	if (!p) {
		no_memory(it);
		return;
	}
	set_sink(p, 0, 0);
	p->x.text.max = 4096; /* of an error */
	part_send(p, for_ranges, on_first);
}

static int ask_first(struct item *it)
{
	int rc = 0;
	if (it->path)
		rc = newfile_open(&it->file, it->path, it->replace);
	if (rc == -EEXIST)
		item_fail(it, "'%s' exists already", it->path);
	else if (rc == -EINVAL)
		item_fail(it, "cannot write '%s': not a file", it->path);
	else if (rc < 0)
		item_fail_local(it, "write", rc);
	if (rc < 0)
		return 0;
	it->stage = ITEM_FIRST;
	struct part *p = part_new(it, "GET", "");
	if (!p) {
		no_memory(it);
		return 0;
	}
	set_sink(p, 0, it->blocksize);
	if (!it->path && p->x.text.max < it->blocksize)
		p->x.text.max = (size_t)it->blocksize;
	part_header(p, "Range: bytes=0-%llu",
		    (unsigned long long)(it->blocksize - 1));
	part_send(p, for_ranges, on_first);
	return 1;
}

/* ---- The others ---------------------------------------------------------- */

static void on_range(struct part *p)
{
	struct item *it = p->item;
	uint64_t first = 0;
	uint64_t last = 0;
	uint64_t total = 0;
	if (p->x.rc == 0 && p->x.answer.status == 412) {
		(void)part_succeeded(p); /* keeps what the answer says */
		return;
	}
	if (!part_succeeded(p))
		return;
	if (p->x.answer.status != 206 ||
	    !answer_range(&p->x.answer, &first, &last, &total) ||
	    first != p->first || last + 1 != p->first + p->length ||
	    total != it->total || p->x.received != p->length) {
		wrong_answer(it);
		return;
	}
	it->moved += p->length;
	if (it->moved == it->total)
		complete(it);
}

static int ask_range(struct item *it)
{
	uint64_t length = item_piece(it);
	struct part *p = part_new(it, "GET", "");
	if (!p) {
		no_memory(it);
		return 0;
	}
	set_sink(p, it->next, length);
	part_header(p, "Range: bytes=%llu-%llu", (unsigned long long)it->next,
		    (unsigned long long)(it->next + length - 1));
	part_header(p, "If-Match: %s", it->etag);
	it->next += length;
	part_send(p, for_later, on_range);
	return 1;
}

int download_next(struct item *it)
{
	switch (it->stage) {
	case ITEM_NEW:
		return ask_first(it);
	case ITEM_PARTS:
		return it->next < it->total ? ask_range(it) : 0;
	case ITEM_CHECK:
		return check(it);
	default:
		return 0;
	}
}
