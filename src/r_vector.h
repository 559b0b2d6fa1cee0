/* R vectors over mapped segments, copied on write, and what stands in for them
 * in a message: numbers, logicals, complexes and raws. */
#ifndef POOL_R_VECTOR_H
#define POOL_R_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <R_ext/Rdynload.h>

#include "r_util.h"

#define VECTOR_LARGE ((size_t)1 << 20) /* bytes: smaller ones are copied */

/* Registers the classes; at load. */
void r_vector_init(DllInfo *dll);

/* Of a vector of these types, large enough? And how large? */
bool r_vector_is_large(SEXP x);
size_t r_vector_bytes(SEXP x);

/* What is serialized in place of such a vector, whose data is in the segment
 * known by `id`; it has the vector's attributes. */
SEXP r_vector_stand_in(SEXP x, uint64_t id);

/* The descriptor, not the caller's, of the segment that such a vector is mapped
 * from and still equals; -1: there is none. */
int r_vector_segment(SEXP x);

#endif
