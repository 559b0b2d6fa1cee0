/* CRC-32C (Castagnoli's polynomial), of what is kept. */
#ifndef POOL_CRC32C_H
#define POOL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n bytes that follow on what `crc` is of; 0: on nothing. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
