/*
 * A compact form for plain R objects: NULL, vectors without attributes, lists
 * of these. R_Serialize() sets up a table of ten kilobytes before its first
 * byte and hands its output on four bytes at a time, which a short vector or a
 * list of numbers need not wait for.
 *
 * All may jump: the sink and the source where they say so, the reader also for
 * what no writer writes.
 */
#ifndef POOL_R_CODEC_H
#define POOL_R_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "r_util.h"

struct codec_sink {
	void (*put)(void *of, const void *bytes, size_t n);
	void *of;
};

struct codec_source {
	void (*get)(void *of, void *bytes, size_t n);
	void *of;
};

/* What a string counts for, in bytes. */
enum { CODEC_STRING = 16 };

/* Is x plain, and is no vector in it as large as `large` bytes? */
bool codec_fits(SEXP x, size_t large);

/* Of what fits. */
void codec_write(SEXP x, const struct codec_sink *to);

SEXP codec_read(const struct codec_source *from);

/* Of a list of n: its elements become those of `to` from `at` on. */
void codec_read_list(const struct codec_source *from, SEXP to, R_xlen_t at,
		     R_xlen_t n);

#endif
