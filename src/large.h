/*
 * Large values: files beside the tables, in large/, which have their places in
 * them, sizes and CRCs. A file is written once, with all large values of one
 * transaction, and on the disk under its name before that is committed. What
 * fails is -errno.
 */
#ifndef POOL_LARGE_H
#define POOL_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sealed.h"

enum {
	LARGE_LEAST = 64 << 10, /* a value with more bytes is one */
	LARGE_REF = 28,		/* bytes of a packed reference */
};

struct large_ref {
	uint64_t file; /* its name, as a number */
	uint64_t at;
	uint64_t size;
	uint32_t crc;
};

void large_pack(const struct large_ref *ref, unsigned char out[LARGE_REF]);
void large_unpack(const unsigned char in[LARGE_REF], struct large_ref *ref);

/* In the directory of a new store. */
int large_prepare(int directory);

/* Writes a file of the large ones among n values, and fills in their refs; it
 * has none, and *file is 0, where no value is large. */
int large_write(int directory, const struct bytes *values, size_t n,
		struct large_ref *refs, uint64_t *file);

/* Removes one that nothing refers to. */
void large_remove(int directory, uint64_t file);

/* Removes what deaths have left half written, a day ago or more. */
void large_clean(int directory);

/* Is there as much as that? 0, or -EBADMSG. */
int large_look(int directory, const struct large_ref *ref);

/* Reads ref->size bytes; -EBADMSG where they are not what was written. */
int large_read(int directory, const struct large_ref *ref, void *out);

#endif
