/*
 * Memory that processes share: an anonymous file (memfd), passed as a
 * descriptor. It has no name, so nothing of it outlives its last user, and no
 * other user can reach it. Its size is sealed.
 *
 * Functions return 0 or -errno; -ENOSYS where the system has no such memory.
 */
#ifndef POOL_SHM_H
#define POOL_SHM_H

#include <stddef.h>

struct shm {
	int fd; /* owned; -1: none */
	unsigned char *at;
	size_t size; /* bytes */
};

void shm_init(struct shm *s);

/* Zeroed memory of `size` bytes, not mapped. */
int shm_create(struct shm *s, size_t size);

/* What another process created, not mapped. The descriptor is taken over.
 * -EPROTO: it is no such memory. */
int shm_adopt(struct shm *s, int fd);

enum shm_use {
	SHM_SHARED, /* what is written is everybody's */
	SHM_COPIED, /* on write: it stays in this process */
};

int shm_map(struct shm *s, enum shm_use use);

/* Copies into it, mapped or not: half the time of a memcpy() where its pages
 * have never been used, and memory that cannot be had is an error. */
int shm_write(const struct shm *s, size_t offset, const void *bytes, size_t n);

void shm_release(struct shm *s);

#endif
