/*
 * L'Ecuyer's MRG32k3a: the states that its streams begin with, 2^127 numbers
 * apart, as R's kind "L'Ecuyer-CMRG" and parallel::nextRNGStream() have them.
 *
 * Source: P. L'Ecuyer, R. Simard, E. J. Chen, W. D. Kelton (2002), An
 * object-oriented random-number package with many long streams and substreams,
 * Operations Research 50(6).
 */
#ifndef POOL_LECUYER_H
#define POOL_LECUYER_H

#include <stdbool.h>
#include <stdint.h>

enum { LECUYER_WORDS = 6 };

/* Could that be a state? */
bool lecuyer_valid(const uint32_t s[LECUYER_WORDS]);

/* `streams` streams further on. */
void lecuyer_jump(uint32_t s[LECUYER_WORDS], uint64_t streams);

#endif
