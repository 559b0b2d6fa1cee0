/*
 * Sending an append blob: a request makes it, and then one block follows the
 * other, each bound to its position. Nothing takes back what is there already.
 */
#include "append.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"

static void on_appended(struct part *p)
{
	struct item *it = p->item;
	if (!part_succeeded(p))
		return;
	it->moved = it->next;
	if (it->next == it->total && source_unchanged(it))
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
		source_no_memory(it);
}

static int send_next(struct item *it)
{
	uint64_t length = item_piece(it);
	int rc;
	if (!source_hashed(it, length, &rc))
		return rc;
	struct part *p = part_new(it, "PUT", "comp=appendblock");
	if (!p) {
		source_no_memory(it);
		return 0;
	}
	source_body(p, it->next, length);
	part_header(p, "x-ms-blob-condition-appendpos: %llu",
		    (unsigned long long)it->next);
	it->next += length;
	if (it->md5)
		part_header(p, "Content-MD5: %s", it->md5_text);
	part_send(p, part_for_all, on_append);
	return 1;
}

/* What the service takes in one block: more from a version on. Versions are
 * dates. */
static uint64_t most_of_block(const char *version)
{
	return version && strcmp(version, "2022-11-02") >= 0 ? 100 << 20
							     : 4 << 20;
}

static int create(struct item *it)
{
	uint64_t most = most_of_block(it->run->account.version);
	if (!source_open(it))
		return 0;
	item_spread(it);
	if (it->total > most * ITEM_BLOCKS) {
		item_fail(it, "too large for an append blob: more than %llu MB",
			  (unsigned long long)(most * ITEM_BLOCKS / 1000000));
		return 0;
	}
	if (it->blocksize > most)
		it->blocksize = most;
	it->stage = ITEM_PARTS;
	struct part *p = part_new(it, "PUT", "");
	if (!p) {
		source_no_memory(it);
		return 0;
	}
	part_header(p, "x-ms-blob-type: AppendBlob");
	part_send(p, source_for_blob, on_appended);
	return 1;
}

int append_next(struct item *it)
{
	if (it->stage == ITEM_NEW)
		return create(it);
	return it->stage == ITEM_PARTS && !it->parts ? send_next(it) : 0;
}
