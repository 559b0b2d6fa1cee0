/*
 * A strict reader of the XML that the storage services write: elements with
 * attributes, text, the five named entities and references to characters, in
 * UTF-8. What could make a reader do anything else is malformed here: document
 * types, processing instructions but the declaration, CDATA, comments. Pure.
 */
#ifndef POOL_XML_H
#define POOL_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum { XML_DEPTH = 16 };

enum xml_event { XML_START, XML_TEXT, XML_END, XML_EOF };

/* A part of the document; nothing owns it. */
struct xml_span {
	const char *at;
	size_t len;
};

struct xml {
	const char *at;
	const char *end;
	struct xml_span open[XML_DEPTH]; /* names of the open elements */
	unsigned depth;			 /* that many */
	struct xml_span attributes;	 /* of XML_START: as they stand */
	struct xml_span text;		 /* of XML_TEXT: as it stands */
	bool empty;			 /* <name/>: its end is due */
	bool over;			 /* the root has ended */
};

/* The bytes stay the caller's, and have to stay. 0, or -EBADMSG: no XML, or not
 * UTF-8. */
int xml_init(struct xml *x, const void *bytes, size_t n);

/* The next event, or -EBADMSG. After XML_START and before XML_END the element
 * is open[depth - 1]; after XML_END it is open[depth]. */
int xml_next(struct xml *x);

bool xml_is(struct xml_span s, const char *name);

/* Appends what the text stands for; 0 or -errno of buf. Of an event's text,
 * whose references are known to be good. */
int xml_append(struct buf *out, struct xml_span text);

#endif
