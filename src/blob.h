/* Bytes that several owners read, with descriptors that go with them: the last
 * blob_unref() frees and closes them. */
#ifndef POOL_BLOB_H
#define POOL_BLOB_H

#include "buf.h"

struct blob {
	size_t refs;
	struct buf buf;
	int *fds;
	size_t n_fds;
};

struct blob *blob_new(void); /* one reference; NULL: no memory */
struct blob *blob_ref(struct blob *s);
void blob_unref(struct blob *s); /* NULL is fine */

/* The descriptor becomes the blob's. */
int blob_attach(struct blob *s, int fd);

#endif
