/* Claims from a shared counter, by compare and exchange. */
#include "cursor.h"

static const double TARGET_NS = 2e6;
enum { GROWTH = 16 };

static const uint64_t ELEMENT = CURSOR_MOST - 1;
static const uint64_t CLOSED = UINT64_MAX;

static uint64_t tag(uint32_t call)
{
	return (uint64_t)call * CURSOR_MOST; /* its low 24 bits */
}

void cursor_open(struct cursor_state *s, uint32_t call)
{
	atomic_store(&s->at, tag(call));
}

void cursor_close(struct cursor_state *s)
{
	atomic_store(&s->at, CLOSED);
}

static size_t element_of(uint64_t at, uint32_t call, size_t n)
{
	size_t element = (size_t)(at & ELEMENT);
	return (at & ~ELEMENT) != tag(call) || element > n ? n : element;
}

size_t cursor_at(const struct cursor_state *s, uint32_t call, size_t n)
{
	return element_of(atomic_load(&s->at), call, n);
}

size_t cursor_size(double ns, size_t last, size_t left, size_t sharers)
{
	size_t share = left / (2 * sharers);
	size_t size = last * GROWTH;
	double want = ns > 0 ? TARGET_NS / ns : 1;
	if (want < (double)size)
		size = (size_t)want;
	if (size > share)
		size = share;
	return size > 0 ? size : 1;
}

bool cursor_claim(struct cursor *c, const uint64_t *ends, size_t *first,
		  size_t *count)
{
	uint64_t at = atomic_load(&c->state->at);
	size_t block = 0;
	do {
		*first = element_of(at, c->call, c->n);
		if (*first == c->n)
			return false;
		while (ends[block] <= *first)
			block++;
		size_t room = (size_t)ends[block] - *first;
		*count = cursor_size(c->ns, c->size, c->n - *first, c->sharers);
		if (*count > room)
			*count = room;
	} while (!atomic_compare_exchange_weak(&c->state->at, &at,
					       tag(c->call) + *first + *count));
	c->size = *count;
	return true;
}

void cursor_timed(struct cursor *c, size_t count, uint64_t ns)
{
	if (count > 0)
		c->ns = (double)ns / (double)count;
}
