/* Parts of what a call goes through: a vector, or columns. */
#ifndef POOL_R_PART_H
#define POOL_R_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "r_util.h"

/* Elements first .. first + count - 1, without attributes; `columns`: of each
 * vector of a list, whose names are kept. */
SEXP r_part(SEXP x, bool columns, size_t first, size_t count);

#endif
