/* Elements that come while a call runs. */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>

int feed_init(struct feed *f, size_t room)
{
	*f = (struct feed){.room = room, .frees = room};
	if (room == 0 || room > SIZE_MAX / 5 / sizeof(*f->free))
		return -ENOMEM;
	f->free = malloc(5 * room * sizeof(*f->free));
	if (!f->free)
		return -ENOMEM;
	f->ready = f->free + room;
	f->over = f->ready + room;
	f->slot = f->over + room;
	f->number = f->slot + room;
	for (size_t i = 0; i < room; i++)
		f->free[i] = room - 1 - i;
	return 0;
}

void feed_release(struct feed *f)
{
	free(f->free);
	*f = (struct feed){0};
}

bool feed_put(struct feed *f, size_t slot, size_t *place)
{
	if (f->frees == 0)
		return false;
	*place = f->free[--f->frees];
	f->slot[*place] = slot;
	f->number[*place] = ++f->came;
	f->ready[(f->first + f->readies++) % f->room] = *place;
	return true;
}

/* The k-th of those that are ready, k from 0. */
static size_t *ready(const struct feed *f, size_t k)
{
	return &f->ready[(f->first + k) % f->room];
}

/* Takes the k-th out: those before it, fewer as a rule, move up. */
static size_t take_out(struct feed *f, size_t k)
{
	size_t place = *ready(f, k);
	for (; k > 0; k--)
		*ready(f, k) = *ready(f, k - 1);
	f->first = (f->first + 1) % f->room;
	f->readies--;
	return place;
}

/* The first that is ready for the slot; f->readies: there is none. */
static size_t find(const struct feed *f, size_t slot)
{
	size_t k = 0;
	while (k < f->readies) {
		size_t whose = f->slot[*ready(f, k)];
		if (whose == FEED_ANY || whose == slot)
			break;
		k++;
	}
	return k;
}

bool feed_next(struct feed *f, size_t slot, size_t *place)
{
	size_t k = find(f, slot);
	if (k == f->readies)
		return false;
	*place = take_out(f, k);
	return true;
}

bool feed_more(const struct feed *f, size_t slot)
{
	return find(f, slot) < f->readies;
}

bool feed_withdraw(struct feed *f, size_t place)
{
	size_t k = 0;
	while (k < f->readies && *ready(f, k) != place)
		k++;
	if (k == f->readies)
		return false;
	(void)take_out(f, k);
	return true;
}

void feed_end(struct feed *f, size_t place)
{
	f->over[f->overs++] = place;
}

bool feed_take(struct feed *f, size_t *place)
{
	if (f->overs == 0)
		return false;
	*place = f->over[--f->overs];
	f->free[f->frees++] = *place;
	return true;
}
