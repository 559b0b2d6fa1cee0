/* The head of an answer. */
#include "answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

void answer_init(struct answer *a)
{
	a->status = 0;
	buf_init(&a->lines, (size_t)256 << 10);
}

void answer_release(struct answer *a)
{
	buf_release(&a->lines);
}

void answer_clear(struct answer *a)
{
	a->status = 0;
	buf_clear(&a->lines);
}

int answer_line(struct answer *a, const char *line, size_t n)
{
	while (n > 0 && strchr("\r\n \t", line[n - 1]))
		n--;
	if (n > 5 && strncmp(line, "HTTP/", 5) == 0) {
		const char *space = memchr(line, ' ', n);
		answer_clear(a);
		/* Ends at the line's end, which is no digit. */
		a->status = space ? (int)strtol(space, NULL, 10) : 0;
		return 0;
	}
	/* What holds a NUL would look like two lines. */
	if (!memchr(line, ':', n) || memchr(line, '\0', n))
		return 0;
	int rc = buf_append(&a->lines, line, n);
	return rc == 0 ? buf_append(&a->lines, "", 1) : rc;
}

const char *answer_next(const struct answer *a, const char *line)
{
	const char *begin = (const char *)a->lines.bytes;
	const char *next = line ? line + strlen(line) + 1 : begin;
	return begin && next < begin + a->lines.len ? next : NULL;
}

const char *answer_header(const struct answer *a, const char *name)
{
	size_t n = strlen(name);
	for (const char *l = answer_next(a, NULL); l; l = answer_next(a, l))
		if (strncasecmp(l, name, n) == 0 && l[n] == ':')
			return l + n + 1 + strspn(l + n + 1, " \t");
	return "";
}

time_t answer_date(const struct answer *a, const char *name)
{
	return curl_getdate(answer_header(a, name), NULL);
}

double answer_delay(const struct answer *a, time_t now)
{
	const char *text = answer_header(a, "retry-after");
	if (isdigit((unsigned char)*text)) {
		char *end;
		double seconds = strtod(text, &end);
		return *end == '\0' ? seconds : -1;
	}
	time_t then = answer_date(a, "retry-after");
	double seconds = then < 0 ? -1 : difftime(then, now);
	return seconds > 0 ? seconds : -1;
}

/* A number at *text, which is moved behind it and the `end` that follows. */
static bool number(const char **text, char end, uint64_t *value)
{
	if (!isdigit((unsigned char)**text))
		return false;
	char *behind;
	errno = 0;
	*value = strtoull(*text, &behind, 10);
	*text = behind + 1;
	return errno == 0 && *behind == end;
}

bool answer_range(const struct answer *a, uint64_t *first, uint64_t *last,
		  uint64_t *total)
{
	const char *text = answer_header(a, "content-range");
	if (strncasecmp(text, "bytes ", 6) != 0)
		return false;
	text += 6;
	return number(&text, '-', first) && number(&text, '/', last) &&
	       number(&text, '\0', total) && *first <= *last && *last < *total;
}

void answer_code(const struct answer *a, const struct buf *body, char *code,
		 size_t room)
{
	static const char tag[] = "<Code>";
	const char *text = answer_header(a, "x-ms-error-code");
	size_t n = strlen(text);
	if (n == 0 && body->len > 0) {
		const char *end = (const char *)body->bytes + body->len;
		text = memmem(body->bytes, body->len, tag, sizeof(tag) - 1);
		text = text ? text + sizeof(tag) - 1 : end;
		while (text + n < end && isalnum((unsigned char)text[n]))
			n++;
	}
	(void)snprintf(code, room, "%.*s", (int)(n < room ? n : room - 1),
		       text);
}
