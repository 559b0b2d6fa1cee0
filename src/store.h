/*
 * Segments: shared memory that carries one large vector each, from the process
 * that fills it to those that map it.
 *
 * A segment is filled again, which costs a fraction of filling a new one, once
 * nobody else has it any more: not in a message, not mapped, not in a child of
 * who mapped it. The kernel knows that; nothing is counted, so nothing is lost
 * count of when a process dies.
 */
#ifndef POOL_STORE_H
#define POOL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm.h"

enum { STORE_KEEPS = 16 }; /* segments at most */

struct store {
	struct shm kept[STORE_KEEPS];
	size_t n;
	size_t bytes; /* of those kept */
	size_t most;  /* bytes kept, so that they can be used again */
};

void store_init(struct store *s, size_t most);

/* Drops what is kept; whoever maps it keeps it. */
void store_release(struct store *s);

/* Copies n > 0 bytes into a segment: a descriptor to pass on, which is the
 * caller's and can be read from alone, and what the segment is known by. */
int store_put(struct store *s, const void *bytes, size_t n, int *fd,
	      uint64_t *id);

/* What a descriptor that came is known by; is it known by that uint64_t? */
int store_id(int fd, uint64_t *id);
bool store_is(int fd, const void *id);

#endif
