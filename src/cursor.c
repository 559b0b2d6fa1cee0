/* Claims from a shared counter, by compare and exchange. */
#include "cursor.h"

static const double TARGET_NS = 2e6;
enum { GROWTH = 16 };

static const uint64_t CLOSED = UINT64_MAX;

void cursor_open(struct cursor_state *s, uint32_t call)
{
	atomic_store(&s->at, cursor_place(call, 0));
}

void cursor_close(struct cursor_state *s)
{
	atomic_store(&s->at, CLOSED);
}

static size_t element_of(uint64_t at, uint32_t call, size_t n)
{
	size_t element = cursor_element(at);
	return !cursor_is_of(at, call) || element > n ? n : element;
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
	} while (!atomic_compare_exchange_weak(
		&c->state->at, &at, cursor_place(c->call, *first + *count)));
	c->size = *count;
	return true;
}

void cursor_timed(struct cursor *c, size_t count, uint64_t ns)
{
	if (count > 0)
		c->ns = (double)ns / (double)count;
}
