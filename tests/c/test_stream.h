/* For tests of rings: memory that processes share, and a stream of bytes that
 * tell their places. */
#ifndef POOL_TEST_STREAM_H
#define POOL_TEST_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "test.h"

static inline void *new_shared(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	return shared;
}

static inline void drop_shared(void *shared, size_t size)
{
	CHECK(munmap(shared, size) == 0);
}

static inline unsigned char byte_at(uint64_t i)
{
	return (unsigned char)(i * 167 + (i >> 8) * 13 + (i >> 16));
}

static inline void make(unsigned char *bytes, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(at + i);
}

static inline void check_bytes(const unsigned char *bytes, uint64_t at,
			       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(at + i))
			CHECK(!"the bytes that were written");
}

#endif
