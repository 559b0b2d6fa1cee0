/*
 * The head of a request.
 *
 * In libcurl's words "Name:" would take a header of its own away, "Name;" sends
 * one that is empty.
 */
#include "head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_line(struct curl_slist **lines, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*lines, line);
	if (!longer)
		return -ENOMEM;
	*lines = longer;
	return 0;
}

static int add_header(struct curl_slist **lines, const char *line)
{
	const char *colon = strchr(line, ':');
	if (!colon || strpbrk(line, "\r\n"))
		return -EINVAL;
	if (colon[1 + strspn(colon + 1, " \t")] != '\0')
		return add_line(lines, line);
	char *empty = strdup(line);
	if (!empty)
		return -ENOMEM;
	empty[colon - line] = ';';
	empty[colon - line + 1] = '\0';
	int rc = add_line(lines, empty);
	free(empty);
	return rc;
}

static int add_signature(const struct sign_account *a,
			 const struct sign_what *what,
			 struct curl_slist **lines)
{
	struct buf text;
	buf_init(&text, (size_t)1 << 20);
	int rc = sign_request(a, what, &text);
	if (rc == 0 && text.len > 0)
		rc = add_line(lines, (const char *)text.bytes);
	buf_release(&text);
	return rc;
}

int head_make(const struct sign_account *a, const struct sign_what *asked,
	      time_t now, struct curl_slist **lines)
{
	char date[SIGN_DATE + 16] = "x-ms-date: ";
	char version[64];
	sign_date(now, date + strlen(date));
	(void)snprintf(version, sizeof(version), "x-ms-version: %s",
		       a->version ? a->version : "");
	const char **all = calloc(asked->n + 2, sizeof(char *));
	if (!all)
		return -ENOMEM;
	size_t n = 0;
	for (; n < asked->n; n++)
		all[n] = asked->headers[n];
	if (!sign_header(asked, "x-ms-date"))
		all[n++] = date;
	if (a->version && !sign_header(asked, "x-ms-version"))
		all[n++] = version;
	const struct sign_what what = {asked->verb, asked->url, all, n,
				       asked->length};
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_header(lines, all[i]);
	if (rc == 0)
		rc = add_signature(a, &what, lines);
	free((void *)all);
	/* A round trip for nothing, where the answer is "go on". */
	if (rc == 0)
		rc = add_line(lines, "Expect:");
	/* Where the caller gives none, there is none: it would not be signed.
	 */
	if (rc == 0 && !sign_header(asked, "Content-Type"))
		rc = add_line(lines, "Content-Type:");
	return rc;
}
