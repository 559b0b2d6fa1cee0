/*
 * EnumerationResults > Blobs > Blob or BlobPrefix > Name and other texts,
 * Properties > texts, Metadata > texts; and EnumerationResults > NextMarker.
 * What else there is is passed over.
 */
#include "blob_list.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xml.h"

/* What of a document stands at which depth. */
enum { ROOT = 1, SECTION, ROW, FIELD, PROPERTY };

struct reader {
	struct xml xml;
	struct blob_list *list;
	const char *const *wanted;
	size_t n_wanted;
	struct xml_span text; /* of the element that is open, its last */
	bool leaf;	      /* that element has no other in it */
	bool encoded;	      /* the name is percent-encoded */
	bool named;	      /* the row has its name */
};

static struct xml_span outer(const struct reader *r, unsigned level)
{
	return r->xml.open[level - 1];
}

static bool in_row(const struct reader *r)
{
	return xml_is(outer(r, SECTION), "Blobs") &&
	       (xml_is(outer(r, ROW), "Blob") ||
		xml_is(outer(r, ROW), "BlobPrefix"));
}

static int grow(void **array, size_t *cap, size_t size, size_t need)
{
	if (need <= *cap)
		return 0;
	size_t wanted = *cap < 64 ? 64 : *cap;
	while (wanted < need)
		wanted *= 2;
	if (wanted > SIZE_MAX / size)
		return -ENOMEM;
	void *more = realloc(*array, wanted * size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*cap = wanted;
	return 0;
}

static int add_row(struct reader *r)
{
	struct blob_list *l = r->list;
	void *array = l->prefix;
	int rc = grow(&array, &l->cap, sizeof *l->prefix, l->n + 1);
	l->prefix = array;
	if (rc < 0)
		return rc;
	l->prefix[l->n++] = xml_is(outer(r, ROW), "BlobPrefix");
	r->named = false;
	return 0;
}

static int add_text(struct blob_list *l, struct xml_span text,
		    struct blob_cell *cell)
{
	cell->at = l->texts.len;
	int rc = xml_append(&l->texts, text);
	cell->len = l->texts.len - cell->at;
	return rc;
}

/* What the names of columns begin with that metadata go into. */
static const char meta_prefix[] = "Metadata/";
enum { META_PREFIX = sizeof meta_prefix - 1 };

static bool is_wanted(const struct reader *r, struct xml_span name, bool meta)
{
	if (!r->wanted)
		return !meta;
	for (size_t i = 0; i < r->n_wanted; i++) {
		const char *one = r->wanted[i];
		if (meta && strncmp(one, meta_prefix, META_PREFIX) != 0)
			continue;
		if (xml_is(name, meta ? one + META_PREFIX : one))
			return true;
	}
	return false;
}

static bool names_column(const struct blob_list *l, const struct blob_column *c,
			 struct xml_span name, bool meta)
{
	size_t before = meta ? META_PREFIX : 0;
	const unsigned char *text = l->texts.bytes + c->name.at;
	return c->name.len == before + name.len &&
	       memcmp(text, meta_prefix, before) == 0 &&
	       memcmp(text + before, name.at, name.len) == 0;
}

static int find_column(struct blob_list *l, struct xml_span name, bool meta,
		       struct blob_column **column)
{
	for (size_t i = 0; i < l->n_columns; i++) {
		if (names_column(l, &l->columns[i], name, meta)) {
			*column = &l->columns[i];
			return 0;
		}
	}
	if (l->n_columns == BLOB_LIST_COLUMNS)
		return -EBADMSG;
	*column = &l->columns[l->n_columns];
	size_t at = l->texts.len;
	int rc = meta ? buf_append(&l->texts, meta_prefix, META_PREFIX) : 0;
	if (rc == 0)
		rc = add_text(l, name, &(*column)->name);
	(*column)->name.len += (*column)->name.at - at;
	(*column)->name.at = at;
	if (rc == 0)
		l->n_columns++;
	return rc;
}

static int hex(unsigned char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* In place. What it stands for may be what XML has no way to write, but a NUL
 * cannot be a part of a name. */
static int percent_decode(struct blob_list *l, struct blob_cell *cell)
{
	unsigned char *p = l->texts.bytes + cell->at;
	size_t n = 0;
	for (size_t i = 0; i < cell->len; i++) {
		unsigned char c = p[i];
		if (c == '%') {
			int high = i + 2 < cell->len ? hex(p[i + 1]) : -1;
			int low = high >= 0 ? hex(p[i + 2]) : -1;
			if (low < 0 || high + low == 0)
				return -EBADMSG;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		p[n++] = c;
	}
	cell->len = n;
	l->texts.len = cell->at + n;
	return 0;
}

/* The element that ends, of this name, is a cell of the last row. */
static int add_cell(struct reader *r, struct xml_span name)
{
	struct blob_list *l = r->list;
	struct blob_column *column;
	bool meta = r->xml.depth + 1 == PROPERTY &&
		    xml_is(outer(r, FIELD), "Metadata");
	bool is_name = !meta && xml_is(name, "Name");
	if (is_name) {
		if (r->named || r->text.len == 0)
			return -EBADMSG;
		r->named = true;
	}
	if (r->text.len == 0 || !is_wanted(r, name, meta))
		return 0;
	int rc = find_column(l, name, meta, &column);
	if (rc < 0)
		return rc;
	if (column->n == l->n)
		return -EBADMSG; /* twice in one row */
	void *array = column->cells;
	rc = grow(&array, &column->cap, sizeof *column->cells, l->n);
	column->cells = array;
	if (rc < 0)
		return rc;
	while (column->n < l->n)
		column->cells[column->n++] = (struct blob_cell){0, 0};
	struct blob_cell *cell = &column->cells[l->n - 1];
	rc = add_text(l, r->text, cell);
	if (rc == 0 && is_name && r->encoded)
		rc = percent_decode(l, cell);
	return rc;
}

static int on_start(struct reader *r)
{
	unsigned depth = r->xml.depth;
	r->text.len = 0;
	r->leaf = true;
	r->encoded = false;
	if (depth == ROOT && !xml_is(outer(r, ROOT), "EnumerationResults"))
		return -EBADMSG;
	if (depth == ROW && in_row(r))
		return add_row(r);
	if (depth == FIELD) {
		struct xml_span a = r->xml.attributes;
		static const char yes[] = "Encoded=\"true\"";
		r->encoded = a.len >= sizeof yes - 1 &&
			     memmem(a.at, a.len, yes, sizeof yes - 1);
	}
	return 0;
}

static int on_end(struct reader *r)
{
	unsigned depth = r->xml.depth + 1;
	struct xml_span name = r->xml.open[r->xml.depth];
	bool leaf = r->leaf;
	int rc = 0;
	r->leaf = false;
	if (depth == ROW && in_row(r))
		rc = r->named ? 0 : -EBADMSG;
	else if (depth == SECTION && leaf && xml_is(name, "NextMarker"))
		rc = r->text.len == 0
			     ? 0
			     : add_text(r->list, r->text, &r->list->marker);
	else if (leaf && in_row(r) &&
		 (depth == FIELD || (depth == PROPERTY &&
				     (xml_is(outer(r, FIELD), "Properties") ||
				      xml_is(outer(r, FIELD), "Metadata")))))
		rc = add_cell(r, name);
	r->text.len = 0;
	return rc;
}

static int read_all(struct reader *r)
{
	for (;;) {
		int rc = 0;
		int event = xml_next(&r->xml);
		switch (event) {
		case XML_START:
			rc = on_start(r);
			break;
		case XML_TEXT:
			r->text = r->xml.text;
			break;
		case XML_END:
			rc = on_end(r);
			break;
		case XML_EOF:
			return 0;
		default:
			rc = event;
		}
		if (rc < 0)
			return rc;
	}
}

int blob_list_read(struct blob_list *l, const void *bytes, size_t n,
		   const char *const *wanted, size_t n_wanted)
{
	memset(l, 0, sizeof *l);
	buf_init(&l->texts, SIZE_MAX / 2);
	struct reader r = {.list = l, .wanted = wanted, .n_wanted = n_wanted};
	int rc = xml_init(&r.xml, bytes, n);
	return rc < 0 ? rc : read_all(&r);
}

void blob_list_release(struct blob_list *l)
{
	for (size_t i = 0; i < l->n_columns; i++)
		free(l->columns[i].cells);
	free(l->prefix);
	buf_release(&l->texts);
	memset(l, 0, sizeof *l);
}
