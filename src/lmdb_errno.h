/* What LMDB returns, as the rest of the core has it. */
#ifndef POOL_LMDB_ERRNO_H
#define POOL_LMDB_ERRNO_H

#include <errno.h>

/* The map is full: on its way to lmdb_env_write(), which makes it larger. */
enum { LMDB_FULL = -ENOBUFS };

/* 0 or -errno; -ENOENT: not found, -EEXIST. */
int lmdb_errno(int code);

#endif
