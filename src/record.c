/* What a worker is at. The moment is written before the element: a reader that
 * finds the same element before and after has a moment that is its own, or a
 * later one. */
#include "record.h"

#include "cursor.h"

void record_begin(struct record *r, uint32_t call, size_t element,
		  uint64_t since)
{
	if (since > 0)
		atomic_store_explicit(&r->since, since, memory_order_relaxed);
	atomic_store_explicit(&r->at, cursor_place(call, element + 1),
			      memory_order_release);
}

void record_end(struct record *r)
{
	atomic_store(&r->steps, 0);
	atomic_store_explicit(&r->at, 0, memory_order_release);
}

bool record_stops(const struct record *r, uint32_t call)
{
	return atomic_load_explicit(&r->stops, memory_order_relaxed) == call;
}

void record_steps(struct record *r, uint32_t most)
{
	atomic_store(&r->steps, (uint64_t)most << 32);
}

bool record_step(struct record *r)
{
	uint64_t now = atomic_load(&r->steps);
	do
		if ((uint32_t)now >= (uint32_t)(now >> 32))
			return false;
	while (!atomic_compare_exchange_weak(&r->steps, &now, now + 1));
	return true;
}

bool record_cut(struct record *r, uint32_t *begun)
{
	uint64_t now = atomic_load(&r->steps);
	do {
		*begun = (uint32_t)now;
		if (now == 0)
			return false;
	} while (!atomic_compare_exchange_weak(
		&r->steps, &now, (uint64_t)*begun << 32 | *begun));
	return true;
}

static uint64_t look(const _Atomic uint64_t *x)
{
	return atomic_load_explicit(x, memory_order_acquire);
}

bool record_running(const struct record *r, uint32_t call, size_t *element,
		    uint64_t *since)
{
	uint64_t at = look(&r->at);
	*since = look(&r->since);
	if (at != look(&r->at) || !cursor_is_of(at, call) ||
	    cursor_element(at) == 0)
		return false;
	*element = cursor_element(at) - 1;
	return true;
}

void record_stop(struct record *r, uint32_t call)
{
	atomic_store_explicit(&r->stops, call, memory_order_relaxed);
}
