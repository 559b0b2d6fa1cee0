/*
 * A stream of bytes through shared memory: one process writes, one reads.
 *
 * Both sides may sleep: whoever is about to says so, looks once more, and then
 * waits to be told by other means; whoever has moved the ring on asks whether
 * the other one sleeps. Positions only grow, and what the other process says of
 * its own is checked: a peer gone wrong is -EPROTO, never a wild read.
 */
#ifndef POOL_RING_H
#define POOL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_LINE 64 /* what two processors cannot write at the same time */

/* The shared part; zeroed memory is an empty ring. */
struct ring_state {
	_Alignas(RING_LINE) _Atomic uint64_t written;
	_Atomic uint32_t writer_sleeps;
	_Alignas(RING_LINE) _Atomic uint64_t read;
	_Atomic uint32_t reader_sleeps;
};

/* One side's view; zeroed: none. */
struct ring {
	struct ring_state *state;
	unsigned char *bytes;
	size_t size;
	uint64_t at; /* this side's own position */
};

void ring_init(struct ring *r, struct ring_state *state, unsigned char *bytes,
	       size_t size);

/* As many bytes as go: a count, or -EPROTO. */
ssize_t ring_write(struct ring *r, const void *bytes, size_t n);
ssize_t ring_read(struct ring *r, void *bytes, size_t n);

/* The last n bytes, which nobody can have read, were not written. */
void ring_take_back(struct ring *r, size_t n);

/* Could a byte be read, written? (Also where the peer has gone wrong.) */
bool ring_readable(const struct ring *r);
bool ring_writable(const struct ring *r);

/* The reader, or the writer, is about to sleep, or awake again: between the
 * two it must look whether the ring is readable, or writable. */
void ring_reader_sleeps(struct ring *r, bool sleeps);
void ring_writer_sleeps(struct ring *r, bool sleeps);

/* After moving on: does the other side have to be woken? True once for every
 * time it goes to sleep. */
bool ring_wakes_reader(struct ring *r);
bool ring_wakes_writer(struct ring *r);

#endif
