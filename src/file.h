/*
 * Files of a store: a name is one in a directory that is open, and no link at
 * its end is followed. What fails is -errno.
 */
#ifndef POOL_FILE_H
#define POOL_FILE_H

#include <stddef.h>

/* Opens it, or makes one that is the user's alone. */
int file_open(int directory, const char *name, int flags);

/* All n bytes, where the file is; -EFBIG where it may not become so large. */
int file_write(int fd, const void *bytes, size_t n);

/* All n bytes; -ENODATA: it has become shorter. */
int file_read(int fd, void *out, size_t n);

#endif
