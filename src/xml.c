/* A strict reader of the services' XML. */
#include "xml.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
	       c == ':' || (c & 0x80) != 0;
}

static bool is_char(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' ||
	       (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
	       (c >= 0x10000 && c <= 0x10ffff);
}

/* How many bytes the character at p has, of `left`; 0: none that XML allows. */
static size_t char_size(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;
	if (n == 0 || n > left)
		return 0;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	return c >= least[n] && is_char(c) ? n : 0;
}

static bool valid(const unsigned char *p, size_t n)
{
	size_t i = 0;
	while (i < n) {
		if (p[i] >= 0x20 && p[i] < 0x80) {
			i++;
			continue;
		}
		size_t size = char_size(p + i, n - i);
		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

static bool starts(const struct xml *x, const char *text)
{
	size_t n = strlen(text);
	return (size_t)(x->end - x->at) >= n && memcmp(x->at, text, n) == 0;
}

static void skip_space(struct xml *x)
{
	while (x->at < x->end && is_space(*x->at))
		x->at++;
}

int xml_init(struct xml *x, const void *bytes, size_t n)
{
	memset(x, 0, sizeof *x);
	if (n == 0 || !valid(bytes, n))
		return -EBADMSG;
	x->at = bytes;
	x->end = x->at + n;
	if (starts(x, "\xef\xbb\xbf"))
		x->at += 3;
	if (starts(x, "<?xml") && x->end - x->at > 5 && is_space(x->at[5])) {
		const char *close =
			memchr(x->at, '>', (size_t)(x->end - x->at));
		if (!close || close[-1] != '?')
			return -EBADMSG;
		x->at = close + 1;
	}
	skip_space(x);
	return x->at < x->end && *x->at == '<' ? 0 : -EBADMSG;
}

bool xml_is(struct xml_span s, const char *name)
{
	return s.len == strlen(name) && memcmp(s.at, name, s.len) == 0;
}

static struct xml_span read_name(struct xml *x)
{
	struct xml_span name = {x->at, 0};
	while (x->at < x->end && is_name(*x->at))
		x->at++;
	name.len = (size_t)(x->at - name.at);
	return name;
}

/* The character that the reference at *at stands for, or 0; *at goes behind it.
 */
static uint32_t read_reference(const char **at, const char *end)
{
	static const struct {
		const char *name;
		uint32_t c;
	} named[] = {{"&lt;", '<'},
		     {"&gt;", '>'},
		     {"&amp;", '&'},
		     {"&quot;", '"'},
		     {"&apos;", '\''}};
	for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
		size_t n = strlen(named[i].name);
		if ((size_t)(end - *at) >= n &&
		    memcmp(*at, named[i].name, n) == 0) {
			*at += n;
			return named[i].c;
		}
	}
	const char *p = *at + 1;
	if (p >= end || *p++ != '#')
		return 0;
	uint32_t base = p < end && *p == 'x' ? 16 : 10;
	uint32_t c = 0;
	p += base == 16;
	for (; p < end && *p != ';'; p++) {
		uint32_t digit = *p >= '0' && *p <= '9' ? (uint32_t)(*p - '0')
				 : base == 16 && *p >= 'a' && *p <= 'f'
					 ? (uint32_t)(*p - 'a') + 10
				 : base == 16 && *p >= 'A' && *p <= 'F'
					 ? (uint32_t)(*p - 'A') + 10
					 : 16;
		c = c * base + digit;
		if (digit >= base || c > 0x10ffff)
			return 0;
	}
	if (p >= end || !is_char(c))
		return 0;
	*at = p + 1;
	return c;
}

/* Text up to `stop`, which has to come. */
static int read_text(struct xml *x, char stop, struct xml_span *text)
{
	text->at = x->at;
	while (x->at < x->end && *x->at != stop) {
		if (*x->at == '<')
			return -EBADMSG;
		if (*x->at != '&')
			x->at++;
		else if (read_reference(&x->at, x->end) == 0)
			return -EBADMSG;
	}
	text->len = (size_t)(x->at - text->at);
	return x->at < x->end ? 0 : -EBADMSG;
}

/* Attributes: name="value", up to '>' or '/'. */
static int read_attributes(struct xml *x)
{
	x->attributes.at = x->at;
	for (;;) {
		const char *before = x->at;
		skip_space(x);
		if (x->at < x->end && (*x->at == '>' || *x->at == '/'))
			break;
		struct xml_span ignored;
		if (x->at == before || read_name(x).len == 0 ||
		    x->end - x->at < 2 || *x->at != '=')
			return -EBADMSG;
		char quote = x->at[1];
		x->at += 2;
		if ((quote != '"' && quote != '\'') ||
		    read_text(x, quote, &ignored) != 0)
			return -EBADMSG;
		x->at++;
	}
	x->attributes.len = (size_t)(x->at - x->attributes.at);
	return 0;
}

static int read_start(struct xml *x)
{
	struct xml_span name = read_name(x);
	if (name.len == 0 || x->depth == XML_DEPTH || read_attributes(x) != 0)
		return -EBADMSG;
	x->empty = *x->at == '/';
	if (x->empty && (++x->at == x->end || *x->at != '>'))
		return -EBADMSG;
	x->at++;
	x->open[x->depth++] = name;
	return XML_START;
}

static int end_element(struct xml *x)
{
	x->over = --x->depth == 0;
	x->empty = false;
	return XML_END;
}

static int read_end(struct xml *x)
{
	struct xml_span name = read_name(x);
	skip_space(x);
	if (x->depth == 0 || x->at == x->end || *x->at != '>')
		return -EBADMSG;
	x->at++;
	struct xml_span open = x->open[x->depth - 1];
	if (name.len != open.len || memcmp(name.at, open.at, name.len) != 0)
		return -EBADMSG;
	return end_element(x);
}

int xml_next(struct xml *x)
{
	if (x->empty)
		return end_element(x);
	if (x->over) {
		skip_space(x);
		return x->at == x->end ? XML_EOF : -EBADMSG;
	}
	if (x->at == x->end)
		return -EBADMSG;
	if (*x->at != '<')
		return read_text(x, '<', &x->text) == 0 ? XML_TEXT : -EBADMSG;
	x->at++;
	if (x->at < x->end && *x->at == '/') {
		x->at++;
		return read_end(x);
	}
	return read_start(x);
}

static size_t put_char(uint32_t c, unsigned char out[4])
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (unsigned char)((0xf00U >> n & 0xff) | c);
	return n;
}

int xml_append(struct buf *out, struct xml_span text)
{
	const char *at = text.at, *end = at + text.len;
	while (at < end) {
		const char *amp = memchr(at, '&', (size_t)(end - at));
		const char *stop = amp ? amp : end;
		int rc = buf_append(out, at, (size_t)(stop - at));
		if (rc < 0)
			return rc;
		at = stop;
		if (at < end) {
			unsigned char bytes[4];
			uint32_t c = read_reference(&at, end);
			if (c == 0)
				return -EBADMSG;
			rc = buf_append(out, bytes, put_char(c, bytes));
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}
