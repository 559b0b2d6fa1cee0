/*
 * A stream of random numbers for each element of a call: the same ones on
 * whichever node it runs, and however often.
 */
#ifndef POOL_R_SEED_H
#define POOL_R_SEED_H

#include <stddef.h>

#include "r_util.h"

/* x: a .Random.seed of kind "L'Ecuyer-CMRG", the first element's; NULL: none is
 * set. */
void r_seed_open(SEXP x);

/* Sets the global .Random.seed to an element's. */
void r_seed_set(size_t element);

#endif
