/* Tasks or results, copied out of a transaction. */
#include "job_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 16 };

void job_items_clear(struct job_items *all)
{
	all->n = 0;
	all->bytes.max = SIZE_MAX;
	buf_clear(&all->bytes);
}

void job_items_release(struct job_items *all)
{
	free(all->item);
	buf_release(&all->bytes);
	*all = (struct job_items){.n = 0};
}

int job_items_add(struct job_items *all, const struct job_item *item,
		  const struct value *value)
{
	if (all->n == all->room) {
		size_t room = all->room ? all->room * 2 : FIRST;
		struct job_item *more =
			realloc(all->item, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		all->item = more;
		all->room = room;
	}
	struct job_item *to = &all->item[all->n];
	*to = *item;
	to->large = value->large;
	to->n = value->bytes.n;
	to->ref = value->ref;
	to->at = all->bytes.len;
	int rc = value->large ? 0
			      : buf_append(&all->bytes, value->bytes.at,
					   value->bytes.n);
	if (rc == 0)
		all->n++;
	return rc;
}

int job_items_value(const struct job_items *all, size_t i, int directory,
		    void *out)
{
	const struct job_item *item = &all->item[i];
	if (item->large)
		return large_read(directory, &item->ref, out);
	if (item->n > 0)
		memcpy(out, all->bytes.bytes + item->at, item->n);
	return 0;
}

int job_items_load(struct job_items *all, int directory)
{
	for (size_t i = 0; i < all->n; i++) {
		struct job_item *item = &all->item[i];
		if (!item->large)
			continue;
		int rc = large_look(directory, &item->ref);
		if (rc == 0)
			rc = buf_reserve(&all->bytes, item->n);
		if (rc == 0)
			rc = large_read(directory, &item->ref,
					all->bytes.bytes + all->bytes.len);
		if (rc < 0)
			return rc;
		item->large = false;
		item->at = all->bytes.len;
		all->bytes.len += item->n;
	}
	return 0;
}
