/* Tasks or results, copied out of a transaction. */
#ifndef POOL_JOB_ITEMS_H
#define POOL_JOB_ITEMS_H

#include "buf.h"
#include "task_state.h"
#include "value.h"

struct job_item {
	uint64_t task;
	int tries;
	enum task_state status; /* of a result */
	double seconds;
	bool large;
	size_t n;  /* bytes of its value */
	size_t at; /* in the bytes of all, where it is not large */
	struct large_ref ref;
};

/* A zeroed one is empty; the caller's until released. */
struct job_items {
	struct job_item *item;
	size_t n, room;
	struct buf bytes;
};

void job_items_clear(struct job_items *all);
void job_items_release(struct job_items *all);

/* One more, a copy of `item` with that value; 0 or -errno. */
int job_items_add(struct job_items *all, const struct job_item *item,
		  const struct value *value);

/* Copies those of large ones too, so that all are in the bytes; -EBADMSG. */
int job_items_load(struct job_items *all, int directory);

/* Copies the n bytes of its value; those of a large one come from the
 * directory of the job. 0 or -errno; -EBADMSG. */
int job_items_value(const struct job_items *all, size_t i, int directory,
		    void *out);

#endif
