/*
 * The ring. A position is published after its bytes are copied, so a process
 * killed at any moment leaves a whole prefix. A sleeper's announcement and the
 * other side's position are ordered by full barriers on both sides: one of the
 * two sees the other.
 */
#include "ring.h"

#include <errno.h>
#include <string.h>

/* Written by its side, or read.
 * NOLINTNEXTLINE(readability-non-const-parameter) */
void ring_init(struct ring *r, struct ring_state *state, unsigned char *bytes,
	       size_t size)
{
	*r = (struct ring){.state = state, .bytes = bytes, .size = size};
}

static uint64_t look(const _Atomic uint64_t *position)
{
	return atomic_load_explicit(position, memory_order_acquire);
}

static void publish(_Atomic uint64_t *position, uint64_t at)
{
	atomic_store_explicit(position, at, memory_order_release);
}

/* What can be copied at a time, from this side's position to the end. */
static size_t straight(const struct ring *r, size_t n)
{
	size_t left = r->size - (size_t)(r->at % r->size);
	return n < left ? n : left;
}

ssize_t ring_write(struct ring *r, const void *bytes, size_t n)
{
	uint64_t used = r->at - look(&r->state->read);
	if (used > r->size)
		return -EPROTO;
	size_t room = r->size - (size_t)used;
	size_t todo = n < room ? n : room;
	size_t first = straight(r, todo);
	memcpy(r->bytes + r->at % r->size, bytes, first);
	memcpy(r->bytes, (const unsigned char *)bytes + first, todo - first);
	r->at += todo;
	publish(&r->state->written, r->at);
	return (ssize_t)todo;
}

void ring_take_back(struct ring *r, size_t n)
{
	r->at -= n;
	publish(&r->state->written, r->at);
}

ssize_t ring_read(struct ring *r, void *bytes, size_t n)
{
	uint64_t filled = look(&r->state->written) - r->at;
	if (filled > r->size)
		return -EPROTO;
	size_t todo = n < filled ? n : (size_t)filled;
	size_t first = straight(r, todo);
	memcpy(bytes, r->bytes + r->at % r->size, first);
	memcpy((unsigned char *)bytes + first, r->bytes, todo - first);
	r->at += todo;
	publish(&r->state->read, r->at);
	return (ssize_t)todo;
}

bool ring_readable(const struct ring *r)
{
	return look(&r->state->written) != r->at;
}

bool ring_writable(const struct ring *r)
{
	return r->at - look(&r->state->read) != r->size;
}

void ring_reader_sleeps(struct ring *r, bool sleeps)
{
	atomic_store(&r->state->reader_sleeps, sleeps);
	atomic_thread_fence(memory_order_seq_cst);
}

void ring_writer_sleeps(struct ring *r, bool sleeps)
{
	atomic_store(&r->state->writer_sleeps, sleeps);
	atomic_thread_fence(memory_order_seq_cst);
}

static bool wakes(_Atomic uint32_t *sleeps)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(sleeps, memory_order_relaxed) != 0 &&
	       atomic_exchange(sleeps, 0) != 0;
}

bool ring_wakes_reader(struct ring *r)
{
	return wakes(&r->state->reader_sleeps);
}

bool ring_wakes_writer(struct ring *r)
{
	return wakes(&r->state->writer_sleeps);
}
