/* Conversations: valid ones, and what mutations make of them. */
#ifndef POOL_FRAMES_H
#define POOL_FRAMES_H

#include "fuzz.h"

enum speaker {
	FROM_TEMPLATE,
	FROM_WORKER,
	TO_WORKER,
	TO_TEMPLATE,
	SPEAKERS,
};

/* Appends one to an input, whole or mutated; how many bytes. */
size_t frames_add(struct input *in, struct rng *r, enum speaker from);

/* A number that is likely to be somebody's limit. */
uint64_t frames_number(struct rng *r);

/* The seed that an input begins with. */
void frames_begin(struct input *in, struct rng *r);
uint64_t frames_seed(const unsigned char *bytes, size_t n);

#endif
