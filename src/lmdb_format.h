/*
 * The format of LMDB 0.9's files (its data version 1), in the numbers and with
 * the padding of this machine, as far as lmdb_check.c reads it.
 */
#ifndef POOL_LMDB_FORMAT_H
#define POOL_LMDB_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum {
	BRANCH = 0x01, /* flags of a page */
	LEAF = 0x02,
	OVERFLOW = 0x04,
	META = 0x08,
	BIG = 0x01, /* flags of a node in a leaf: its value is in other pages */
	TABLE = 0x02, /* it is the root of a table */
	METAS = 2,
	LEVELS = 32,
	VERSION = 1,
	INTEGER_KEYS = 0x08,
	KEY_MOST = 511,
	LEAST_PAGE = 512,
	MOST_PAGE = 65536,
};

struct page {
	size_t number;
	uint16_t pad, flags;
	union {
		struct {
			uint16_t lower, upper; /* of what is unused */
		};
		uint32_t pages; /* of a large value */
	};
};

struct node {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	uint16_t high, low;
#else
	uint16_t low, high;
#endif
	uint16_t flags, key;
};

struct tree {
	uint32_t pad; /* of the first one: the size of a page */
	uint16_t flags, depth;
	size_t branches, leaves, overflows, entries, root;
};

struct meta {
	uint32_t magic, version;
	void *address;
	size_t map;
	struct tree free, main;
	size_t last, txn;
};

/* Where the nodes of a page begin, its offsets of them. */
enum { HEAD = offsetof(struct page, pages) + sizeof(uint32_t) };

#endif
