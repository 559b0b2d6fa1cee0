/* What is claimed, done and lost. */
#include "sched.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"

int sched_init(struct sched *s, size_t n, size_t slots)
{
	*s = (struct sched){.n = n, .left = n, .slots = slots};
	s->done = calloc(n / 64 + 1, sizeof(*s->done));
	s->slot = calloc(slots ? slots : 1, sizeof(*s->slot));
	if (s->done && s->slot)
		return 0;
	sched_release(s);
	return -ENOMEM;
}

void sched_release(struct sched *s)
{
	free(s->done);
	free(s->slot);
	free(s->starts);
	free(s->alone);
	free(s->tries);
	feed_release(&s->feed);
	*s = (struct sched){0};
}

int sched_fix(struct sched *s, const size_t *starts, size_t chunks)
{
	s->starts = malloc((chunks + 1) * sizeof(*starts));
	if (!s->starts)
		return -ENOMEM;
	memcpy(s->starts, starts, (chunks + 1) * sizeof(*starts));
	s->chunks = chunks;
	s->cursor = s->n;
	for (size_t i = 0; i < s->slots; i++)
		s->slot[i].chunk = i;
	return 0;
}

int sched_open(struct sched *s)
{
	int rc = feed_init(&s->feed, s->n);
	s->left = 0;
	s->cursor = s->n;
	return rc;
}

bool sched_put(struct sched *s, size_t slot, size_t *element)
{
	if (!feed_put(&s->feed, slot, element))
		return false;
	s->done[*element / 64] &= ~(UINT64_C(1) << (*element % 64));
	if (s->tries)
		s->tries[*element] = 0;
	s->left++;
	return true;
}

bool sched_take(struct sched *s, size_t *element)
{
	return feed_take(&s->feed, element);
}

bool sched_is_done(const struct sched *s, size_t element)
{
	return (s->done[element / 64] >> (element % 64)) & 1;
}

static void finish(struct sched *s, size_t element)
{
	if (sched_is_done(s, element))
		return;
	s->done[element / 64] |= UINT64_C(1) << (element % 64);
	s->left--;
	if (s->feed.room > 0)
		feed_end(&s->feed, element);
}

bool sched_withdraw(struct sched *s, size_t element)
{
	if (!feed_withdraw(&s->feed, element))
		return false;
	finish(s, element);
	return true;
}

bool sched_is_bound(const struct sched *s, size_t element)
{
	return s->feed.room > 0 && s->feed.slot[element] != FEED_ANY;
}

/* The place in the stack of an element that the slot may run. */
static size_t find_alone(const struct sched *s, size_t slot)
{
	for (size_t i = s->alones; i-- > 0;)
		if (s->alone[i].slot == SCHED_ANY || s->alone[i].slot == slot)
			return i;
	return SCHED_ANY;
}

/* Elements of chunk k that the slot was given. */
static size_t given(const struct sched_slot *t, size_t k)
{
	return k == t->chunk ? t->given : 0;
}

/* The slot's next chunk with anything in it, or s->chunks. */
static size_t next_chunk(const struct sched *s, size_t slot)
{
	const struct sched_slot *t = &s->slot[slot];
	size_t k = t->chunk;
	while (k < s->chunks && s->starts[k] + given(t, k) == s->starts[k + 1])
		k += s->slots;
	return k < s->chunks ? k : s->chunks;
}

bool sched_claim(struct sched *s, size_t slot, size_t *first, size_t *count)
{
	struct sched_slot *t = &s->slot[slot];
	if (s->stopped || (s->singly && s->claims > 0))
		return false;
	s->singly = s->singly && s->alones > 0;
	size_t i;
	while ((i = find_alone(s, slot)) != SCHED_ANY &&
	       sched_is_done(s, s->alone[i].element))
		s->alone[i] = s->alone[--s->alones]; /* by somebody else */
	if (i != SCHED_ANY) {
		*first = s->alone[i].element;
		*count = 1;
		s->alone[i] = s->alone[--s->alones];
		s->claims++;
		return true;
	}
	size_t k = next_chunk(s, slot);
	if (k < s->chunks) {
		*first = s->starts[k] + given(t, k);
		*count = s->single ? 1 : s->starts[k + 1] - *first;
		t->given = given(t, k) + *count;
		t->chunk = k;
		s->claims++;
		return true;
	}
	if (feed_next(&s->feed, slot, first)) {
		*count = 1;
		s->claims++;
		return true;
	}
	if (s->cursor == s->n)
		return false;
	*first = s->cursor;
	size_t left = s->n - s->cursor;
	*count = s->single ? 1 : cursor_size(t->ns, t->size, left, s->slots);
	t->size = *count;
	s->cursor += *count;
	s->claims++;
	return true;
}

bool sched_more(const struct sched *s, size_t slot)
{
	return !s->stopped && (s->cursor < s->n || feed_more(&s->feed, slot) ||
			       next_chunk(s, slot) < s->chunks ||
			       find_alone(s, slot) != SCHED_ANY);
}

void sched_stage(struct sched *s, size_t n)
{
	s->staged = s->cursor = n;
}

void sched_join(struct sched *s)
{
	s->claims++;
}

void sched_finish(struct sched *s, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		finish(s, i);
}

void sched_leave(struct sched *s)
{
	s->claims--;
}

void sched_done(struct sched *s, size_t slot, size_t first, size_t count,
		uint64_t ns)
{
	s->claims--;
	sched_finish(s, first, count);
	if (count > 0)
		s->slot[slot].ns = (double)ns / (double)count;
}

static int push_alone(struct sched *s, size_t element, size_t slot)
{
	if (s->alones == s->alone_room) {
		size_t room = s->alone_room ? s->alone_room * 2 : 16;
		struct sched_alone *more =
			realloc(s->alone, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->alone = more;
		s->alone_room = room;
	}
	s->alone[s->alones++] =
		(struct sched_alone){.element = element, .slot = slot};
	return 0;
}

int sched_unstage(struct sched *s, size_t claimed)
{
	size_t end = s->staged;
	if (s->cursor == end)
		end = s->cursor = claimed;
	s->staged = 0;
	int rc = 0;
	for (size_t i = end; i-- > 0 && rc == 0;)
		if (!sched_is_done(s, i))
			rc = push_alone(s, i, SCHED_ANY);
	return rc;
}

int sched_again(struct sched *s, size_t slot, size_t first, size_t count)
{
	s->claims--;
	/* From the last to the first: a stack gives back the first first. */
	for (size_t i = first + count; i-- > first;) {
		int rc = sched_is_done(s, i)
				 ? 0
				 : push_alone(s, i,
					      s->chunks ? slot : SCHED_ANY);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int sched_blame(struct sched *s, size_t element, unsigned retries,
		bool *given_up)
{
	*given_up = false;
	if (!s->tries)
		s->tries = calloc(s->n, sizeof(*s->tries));
	if (!s->tries)
		return -ENOMEM;
	if (s->tries[element] < UINT_MAX)
		s->tries[element]++;
	*given_up = s->tries[element] > retries;
	if (*given_up)
		finish(s, element);
	return 0;
}

void sched_singly(struct sched *s)
{
	s->singly = true;
}

void sched_stop(struct sched *s)
{
	s->stopped = true;
	s->staged = 0;
}

bool sched_goes_on(const struct sched *s)
{
	return s->claims > 0 || (s->left > 0 && !s->stopped);
}
