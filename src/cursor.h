/*
 * Claims from a shared counter: workers take ranges of elements by themselves,
 * each as many as its last ones took little time.
 *
 * The counter carries the number of its call, so that a process that is late
 * cannot claim from another. It is a hint: what is done is known by results
 * alone.
 */
#ifndef POOL_CURSOR_H
#define POOL_CURSOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_MOST (UINT64_C(1) << 40) /* elements */

/* An element of a call as one number: call, 24 bits; element, 40 bits. */
static inline uint64_t cursor_place(uint32_t call, size_t element)
{
	return (uint64_t)call * CURSOR_MOST | element; /* its low 24 bits */
}

static inline bool cursor_is_of(uint64_t place, uint32_t call)
{
	return (place & ~(CURSOR_MOST - 1)) == cursor_place(call, 0);
}

static inline size_t cursor_element(uint64_t place)
{
	return (size_t)(place & (CURSOR_MOST - 1));
}

/* In shared memory; to be opened first. */
struct cursor_state {
	_Atomic uint64_t at; /* the place of the next element */
};

void cursor_open(struct cursor_state *s, uint32_t call);
void cursor_close(struct cursor_state *s);

/* The first element that nobody has claimed; n where it is closed, or past it.
 */
size_t cursor_at(const struct cursor_state *s, uint32_t call, size_t n);

/* One worker's view. */
struct cursor {
	struct cursor_state *state;
	uint32_t call;
	size_t n;	/* elements */
	size_t sharers; /* workers */
	double ns;	/* an element's time, as last seen; 0: not yet */
	size_t size;	/* of the last claim */
};

/* How many elements to claim of `left`: enough for some milliseconds of work,
 * so that what a claim costs hardly shows, never more than a share of what is
 * left, so that the end is even, and growing by steps from the last claim's
 * size, so that one quick element at the start proves nothing. */
size_t cursor_size(double ns, size_t last, size_t left, size_t sharers);

/* Claims a range that does not go past one of `ends`, which grow and end with
 * n. False: there is none left. */
bool cursor_claim(struct cursor *c, const uint64_t *ends, size_t *first,
		  size_t *count);

void cursor_timed(struct cursor *c, size_t count, uint64_t ns);

#endif
