/*
 * A value as the end of a record: its bytes, or where they are in a file of
 * large ones.
 */
#ifndef POOL_VALUE_H
#define POOL_VALUE_H

#include "large.h"

enum { VALUE_HEAD = 1 + LARGE_REF };

struct value {
	bool large;
	struct bytes bytes; /* of a large one only how many */
	struct large_ref ref;
};

/* What is to be written: a head of at most VALUE_HEAD bytes, how many, and what
 * is behind it. */
size_t value_head(const struct value *v, unsigned char out[VALUE_HEAD]);
struct bytes value_tail(const struct value *v);

/* What was written; -EBADMSG. */
int value_read(struct bytes content, struct value *v);

#endif
