/*
 * What an upload sends: the item's bytes, or those of its file, which must not
 * change meanwhile; and their digests, made in order.
 */
#ifndef POOL_SOURCE_H
#define POOL_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "item.h"

/* Opens the file, if it is one, and sets `total`. False: that failed the item.
 */
bool source_open(struct item *it);

/* False where the file is not what it was: that failed the item. */
bool source_unchanged(struct item *it);

/* Makes the digest of the next `length` bytes, into md5_text, if the item wants
 * any: true when they can be sent. If not, `rc` is what upload_next() is to
 * return: there is more to do, or that failed the item. */
bool source_hashed(struct item *it, uint64_t length, int *rc);

/* Makes these bytes the body of a part. */
void source_body(struct part *p, uint64_t first, uint64_t length);

/* Fails the item: there is no memory to send it. */
void source_no_memory(struct item *it);

/* All headers but what an upload says itself. */
bool source_for_blob(const char *line);

#endif
