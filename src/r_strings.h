/*
 * Character vectors over mapped segments, and what stands in for them in a
 * message. A string becomes an object of R's when it is first asked for: a
 * vector that is only handed on costs nothing.
 */
#ifndef POOL_R_STRINGS_H
#define POOL_R_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <R_ext/Rdynload.h>

#include "r_util.h"

/* Registers the class; at load. */
void r_strings_init(DllInfo *dll);

/* A character vector that is worth it? */
bool r_strings_are_large(SEXP x);

/* Its strings, laid out as a segment holds them, in memory of R_alloc(): NULL
 * where some are of the locale's encoding, which is not everybody's. */
const void *r_strings_pack(SEXP x, size_t *size);

/* As those of r_vector.h. */
SEXP r_strings_stand_in(SEXP x, uint64_t id);
int r_strings_segment(SEXP x);

#endif
