/*
 * The answer to List Blobs, as a table: one row for each blob or prefix, one
 * column for each thing that is said of it. A struct blob_list is the caller's
 * and freed by blob_list_release(), also after a failure. Pure.
 */
#ifndef POOL_BLOB_LIST_H
#define POOL_BLOB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum { BLOB_LIST_COLUMNS = 96 };

/* A text in `texts`; len 0: there is none. */
struct blob_cell {
	size_t at;
	size_t len;
};

struct blob_column {
	struct blob_cell name;
	struct blob_cell *cells; /* n of them; rows behind have none */
	size_t n;
	size_t cap;
};

struct blob_list {
	size_t n; /* rows, in the document's order */
	size_t cap;
	bool *prefix; /* row by row: a prefix, not a blob */
	struct blob_column columns[BLOB_LIST_COLUMNS];
	size_t n_columns;
	struct blob_cell marker; /* of the next page */
	struct buf texts;
};

/* `wanted`: names of columns, n of them; NULL: all. A column is a property, or
 * what a blob has beside its properties, if that is a text: "Name", "Snapshot";
 * or, only where it is named, metadata: "Metadata/x".
 * 0, -ENOMEM, or -EBADMSG: not such an answer, whole and well-formed. */
int blob_list_read(struct blob_list *l, const void *bytes, size_t n,
		   const char *const *wanted, size_t n_wanted);
void blob_list_release(struct blob_list *l);

#endif
