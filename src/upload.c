/*
 * Sending one blob.
 *
 * With MD5, digests of the part and of the whole are made of the same bytes,
 * in order, before the part is sent. A file that changes meanwhile is noticed
 * before the list of blocks makes the blob; where there is only one request,
 * after it.
 *
 * What may only be made where nothing is yet ("If-None-Match: *") has a digest
 * always: where the answer gets lost, the next try finds what the first one
 * made, and the digest tells that it did.
 */
#include "upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "source.h"

enum { BLOCK_ID = 24 }; /* bytes: a multiple of 3, so that nothing is padded */

/* ---- The end of it ------------------------------------------------------- */

static void finish(struct item *it)
{
	if (it->list.len == 0 && !source_unchanged(it))
		return;
	it->moved = it->total;
	item_end(it);
}

static bool only_if_new(const struct item *it)
{
	static const char name[] = "if-none-match:";
	for (size_t i = 0; i < it->n_headers; i++)
		if (strncasecmp(it->headers[i], name, sizeof(name) - 1) == 0 &&
		    strchr(it->headers[i], '*'))
			return true;
	return false;
}

/* What the blob is that was there before the last try. */
static void on_look(struct part *p)
{
	struct item *it = p->item;
	const struct answer *a = &p->x.answer;
	const char *length = answer_header(a, "content-length");
	if (p->x.rc == 0 && a->status == 200 && *length != '\0' &&
	    strtoull(length, NULL, 10) == it->total &&
	    (it->total == 0 ||
	     strcmp(answer_header(a, "content-md5"), it->md5_text) == 0)) {
		(void)part_succeeded(p);
		finish(it);
	} else { /* what the answer before this one said */
		item_fail(it, "PUT %.*s: %d %s", (int)strcspn(it->url, "?#"),
			  it->url, it->status, it->code);
	}
}

/* The request that makes the blob is over. */
static void on_made(struct part *p)
{
	struct item *it = p->item;
	if (p->x.rc == 0 && p->x.answer.status == 409 && p->x.tries > 1 &&
	    only_if_new(it)) {
		part_keep(p);
		struct part *look = strcmp(it->code, "BlobAlreadyExists") == 0
					    ? part_new(it, "HEAD", "")
					    : NULL;
		if (look) {
			part_send(look, part_for_all, on_look);
			return;
		}
	}
	if (part_succeeded(p))
		finish(it);
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
	if (!source_unchanged(it))
		return 0;
	it->stage = ITEM_COMMIT;
	int rc = make_list(it);
	struct part *p = rc == 0 ? part_new(it, "PUT", "comp=blocklist") : NULL;
	if (!p) {
		source_no_memory(it);
		return 0;
	}
	p->x.body.bytes = it->list.bytes;
	p->x.body.length = it->list.len;
	if (it->md5 && digest_end(&it->whole, it->md5_text) == 0)
		part_header(p, "x-ms-blob-content-md5: %s", it->md5_text);
	part_send(p, source_for_blob, on_made);
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

static int send_block(struct item *it)
{
	uint64_t length = item_piece(it);
	int rc;
	if (!source_hashed(it, length, &rc))
		return rc;
	char id[BASE64_SIZE(BLOCK_ID)];
	char query[BASE64_SIZE(BLOCK_ID) + 32];
	block_id(it, it->next / it->blocksize, id);
	(void)snprintf(query, sizeof(query), "comp=block&blockid=%s", id);
	struct part *p = part_new(it, "PUT", query);
	if (!p) {
		source_no_memory(it);
		return 0;
	}
	source_body(p, it->next, length);
	it->next += length;
	if (it->md5)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, part_for_all, on_block);
	return 1;
}

static int send_whole(struct item *it)
{
	int rc;
	if (!source_hashed(it, it->total, &rc))
		return rc;
	it->stage = ITEM_COMMIT;
	struct part *p = part_new(it, "PUT", "");
	if (!p) {
		source_no_memory(it);
		return 0;
	}
	source_body(p, 0, it->total);
	part_header(p, "x-ms-blob-type: BlockBlob");
	if (it->md5 && it->total > 0)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, source_for_blob, on_made);
	return 1;
}

/* ---- What is due --------------------------------------------------------- */

static int begin(struct item *it)
{
	if (!source_open(it))
		return 0;
	int rc = digest_random(&it->nonce, sizeof(it->nonce));
	if (rc < 0) {
		item_fail_local(it, "read", rc);
		return 0;
	}
	item_spread(it);
	it->md5 = it->md5 || only_if_new(it);
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
		return it->next < it->total ? send_block(it) : 0;
	case ITEM_COMMIT:
		return it->parts || it->list.len > 0 ? 0 : commit(it);
	default:
		return 0;
	}
}
