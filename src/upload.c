/*
 * Sending one blob.
 *
 * With MD5, digests of the part and of the whole are made of the same bytes,
 * in order, before the part is sent. A file that changes meanwhile is noticed
 * before the list of blocks makes the blob; where there is only one request,
 * after it.
 */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
	BLOCKS = 50000, /* of one blob */
	APPENDED = 4 << 20,
	BLOCK_ID = 24, /* bytes: a multiple of 3, so that nothing is padded */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#ifdef __APPLE__
#define MODIFIED(st) ((st).st_mtimespec)
#else
#define MODIFIED(st) ((st).st_mtim)
#endif

static int look(struct item *it, struct stat *st)
{
	if (fstat(it->fd, st) < 0)
		return -errno;
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	/* Of a pipe the size is not known, and nothing could be sent again. */
	return S_ISREG(st->st_mode) ? 0 : -EINVAL;
}

static int open_source(struct item *it)
{
	it->total = it->length;
	if (!it->path)
		return 0;
	struct stat st;
	/* A pipe would keep the process until somebody writes. */
	do
		it->fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (it->fd < 0 && errno == EINTR);
	if (it->fd < 0)
		return -errno;
	int rc = look(it, &st);
	if (rc == 0) {
		it->total = (uint64_t)st.st_size;
		it->changed = MODIFIED(st);
	}
	return rc;
}

/* Fails the item if its file is not what it was. */
static bool unchanged(struct item *it)
{
	struct stat st;
	if (it->fd < 0)
		return true;
	int rc = look(it, &st);
	if (rc < 0) {
		item_fail_local(it, "read", rc);
		return false;
	}
	struct timespec now = MODIFIED(st);
	if ((uint64_t)st.st_size == it->total &&
	    now.tv_sec == it->changed.tv_sec &&
	    now.tv_nsec == it->changed.tv_nsec)
		return true;
	item_fail(it, "'%s' changed while it was sent", it->path);
	return false;
}

static void set_body(struct part *p, uint64_t first, uint64_t length)
{
	const struct item *it = p->item;
	p->first = first;
	p->length = length;
	p->x.body.fd = it->fd;
	p->x.body.offset = first;
	p->x.body.bytes = it->bytes ? it->bytes + first : NULL;
	p->x.body.length = length;
}

/* All but what the parts say themselves. */
static bool for_blob(const char *line)
{
	return strncasecmp(line, "x-ms-blob-type:", 15) != 0;
}

static void no_memory(struct item *it)
{
	item_fail_local(it, "send", -ENOMEM);
}

/* ---- The end of it ------------------------------------------------------- */

static void on_whole(struct part *p)
{
	struct item *it = p->item;
	if (!part_succeeded(p) || !unchanged(it))
		return;
	it->moved = it->total;
	item_end(it);
}

static void on_list(struct part *p)
{
	if (part_succeeded(p))
		item_end(p->item);
}

static int add_text(struct buf *b, const char *text)
{
	return buf_append(b, text, strlen(text));
}

static void block_id(const struct item *it, uint64_t index, char *text)
{
	char id[BLOCK_ID + 1];
	(void)snprintf(id, sizeof(id), "%016llx-%07u", it->nonce,
		       (unsigned)(index % 10000000));
	base64_encode(id, BLOCK_ID, text);
}

static int make_list(struct item *it)
{
	char id[BASE64_SIZE(BLOCK_ID)];
	buf_init(&it->list, (size_t)16 << 20);
	int rc = add_text(&it->list,
			  "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			  "<BlockList>");
	for (uint64_t at = 0; at < it->total && rc == 0; at += it->blocksize) {
		block_id(it, at / it->blocksize, id);
		rc = add_text(&it->list, "<Latest>");
		if (rc == 0)
			rc = add_text(&it->list, id);
		if (rc == 0)
			rc = add_text(&it->list, "</Latest>");
	}
	return rc == 0 ? add_text(&it->list, "</BlockList>") : rc;
}

/* All blocks are there: what makes them the blob. */
static int commit(struct item *it)
{
	if (!unchanged(it))
		return 0;
	it->stage = ITEM_COMMIT;
	int rc = make_list(it);
	struct part *p = rc == 0 ? part_new(it, "PUT", "comp=blocklist") : NULL;
	if (!p) {
		no_memory(it);
		return 0;
	}
	p->x.body.bytes = it->list.bytes;
	p->x.body.length = it->list.len;
	char md5[DIGEST_MD5_TEXT];
	if (it->md5 && digest_end(&it->whole, md5) == 0)
		part_header(p, "x-ms-blob-content-md5: %s", md5);
	part_send(p, for_blob, on_list);
	return 1;
}

/* ---- Parts --------------------------------------------------------------- */

static void on_block(struct part *p)
{
	struct item *it = p->item;
	if (!part_succeeded(p))
		return;
	it->moved += p->length;
	if (it->moved == it->total)
		it->stage = ITEM_COMMIT;
}

/* The digest of the next `length` bytes into md5_text. 1, 0 or -errno as
 * item_hash(). */
static int hash_piece(struct item *it, uint64_t length)
{
	int rc = 0;
	if (it->hashed == it->next)
		rc = digest_start(&it->piece);
	if (rc == 0 && it->hashed == 0)
		rc = digest_start(&it->whole);
	if (rc == 0)
		rc = item_hash(it, it->fd, it->next + length);
	if (rc == 1 && digest_end(&it->piece, it->md5_text) < 0)
		rc = -EIO;
	return rc;
}

/* False where the next part cannot be sent yet; `rc` says why. */
static bool hashed(struct item *it, uint64_t length, int *rc)
{
	*rc = it->md5 && length > 0 ? hash_piece(it, length) : 1;
	if (*rc < 0) {
		item_fail_local(it, "read", *rc);
		*rc = 0;
		return false;
	}
	if (*rc == 0)
		*rc = -EAGAIN;
	return *rc == 1;
}

static int send_block(struct item *it)
{
	uint64_t length = least(it->blocksize, it->total - it->next);
	int rc;
	if (!hashed(it, length, &rc))
		return rc;
	char id[BASE64_SIZE(BLOCK_ID)];
	char query[BASE64_SIZE(BLOCK_ID) + 32];
	block_id(it, it->next / it->blocksize, id);
	(void)snprintf(query, sizeof(query), "comp=block&blockid=%s", id);
	struct part *p = part_new(it, "PUT", query);
	if (!p) {
		no_memory(it);
		return 0;
	}
	set_body(p, it->next, length);
	it->next += length;
	if (it->md5)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, part_for_all, on_block);
	return 1;
}

static int send_whole(struct item *it)
{
	int rc;
	if (!hashed(it, it->total, &rc))
		return rc;
	it->stage = ITEM_COMMIT;
	struct part *p = part_new(it, "PUT", "");
	if (!p) {
		no_memory(it);
		return 0;
	}
	set_body(p, 0, it->total);
	part_header(p, "x-ms-blob-type: BlockBlob");
	if (it->md5 && it->total > 0)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, for_blob, on_whole);
	return 1;
}

/* ---- Append blobs -------------------------------------------------------- */

static void on_appended(struct part *p)
{
	struct item *it = p->item;
	if (!part_succeeded(p))
		return;
	it->moved = it->next;
	if (it->next == it->total && unchanged(it))
		item_end(it);
}

/* The answer to a request that was carried out can get lost; asked again, it is
 * refused, as the blob has grown by then. */
static void on_length(struct part *p)
{
	struct item *it = p->item;
	if (!part_succeeded(p))
		return;
	const char *length = answer_header(&p->x.answer, "content-length");
	if (strtoull(length, NULL, 10) != it->next) {
		item_fail(it, "the blob was changed by somebody else");
		return;
	}
	on_appended(p);
}

static void on_append(struct part *p)
{
	struct item *it = p->item;
	if (p->x.rc < 0 || p->x.answer.status != 412 || p->x.tries < 2) {
		on_appended(p);
		return;
	}
	struct part *look = part_new(it, "HEAD", "");
	if (look)
		part_send(look, part_for_all, on_length);
	else
		no_memory(it);
}

static int send_append(struct item *it)
{
	uint64_t length = least(it->blocksize, it->total - it->next);
	int rc;
	if (!hashed(it, length, &rc))
		return rc;
	struct part *p = part_new(it, "PUT", "comp=appendblock");
	if (!p) {
		no_memory(it);
		return 0;
	}
	set_body(p, it->next, length);
	part_header(p, "x-ms-blob-condition-appendpos: %llu",
		    (unsigned long long)it->next);
	it->next += length;
	if (it->md5)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, part_for_all, on_append);
	return 1;
}

static int create_append(struct item *it)
{
	it->stage = ITEM_PARTS;
	if (it->blocksize > APPENDED)
		it->blocksize = APPENDED;
	struct part *p = part_new(it, "PUT", "");
	if (!p) {
		no_memory(it);
		return 0;
	}
	part_header(p, "x-ms-blob-type: AppendBlob");
	part_send(p, for_blob, on_appended);
	return 1;
}

/* ---- What is due --------------------------------------------------------- */

static int begin(struct item *it)
{
	int rc = open_source(it);
	if (rc == 0)
		rc = digest_random(&it->nonce, sizeof(it->nonce));
	if (rc == -EINVAL)
		item_fail(it, "cannot send '%s': not a file", it->path);
	else if (rc < 0)
		item_fail_local(it, "read", rc);
	if (rc < 0)
		return 0;
	if (it->append)
		return create_append(it);
	uint64_t block = (it->total + BLOCKS - 1) / BLOCKS;
	if (it->blocksize < block)
		it->blocksize = block;
	it->stage = it->total <= it->blocksize ? ITEM_FIRST : ITEM_PARTS;
	return it->stage == ITEM_FIRST ? send_whole(it) : send_block(it);
}

int upload_next(struct item *it)
{
	switch (it->stage) {
	case ITEM_NEW:
		return begin(it);
	case ITEM_FIRST:
		return send_whole(it);
	case ITEM_PARTS:
		if (it->append)
			return it->parts ? 0 : send_append(it);
		return it->next < it->total ? send_block(it) : 0;
	case ITEM_COMMIT:
		return it->parts || it->list.len > 0 ? 0 : commit(it);
	default:
		return 0;
	}
}
