/*
 * What the fuzz harness shares: numbers that a seed gives, inputs, targets.
 *
 * An input is bytes, from which a target derives all that it does: the first
 * eight seed what is not in the bytes themselves (where reads end, who does
 * what next). The same bytes do the same again.
 */
#ifndef POOL_FUZZ_H
#define POOL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t x;
};

static inline struct rng rng_of(uint64_t seed)
{
	/* The finalizer of splitmix64: seeds that are close are not alike. */
	seed += UINT64_C(0x9e3779b97f4a7c15);
	seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
	seed ^= seed >> 31;
	return (struct rng){seed ? seed : 1};
}

/* xorshift64 */
static inline uint64_t rng_next(struct rng *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x;
}

/* 0 to n - 1; the high bits are the better ones. */
static inline size_t rng_below(struct rng *r, size_t n)
{
	return (size_t)((rng_next(r) >> 16) % n);
}

static inline bool rng_one_in(struct rng *r, size_t n)
{
	return rng_below(r, n) == 0;
}

enum { INPUT_MOST = 4 << 20 };

struct input {
	unsigned char *bytes; /* INPUT_MOST of them */
	size_t n;
};

struct target {
	const char *name;
	unsigned share; /* of all inputs, in hundredths */
	void (*make)(struct input *in, struct rng *r);
	void (*run)(const unsigned char *bytes, size_t n);
};

extern const struct target target_chan, target_pool, target_memory,
	target_template, target_list, target_record;

/* What must hold whatever the input: ends the run of it, as a finding. */
#define REQUIRE(what) ((what) ? (void)0 : finding(__FILE__, __LINE__, #what))
_Noreturn void finding(const char *file, int line, const char *what);

#endif
