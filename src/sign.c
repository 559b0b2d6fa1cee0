/*
 * The string to sign and what is made of it.
 *
 * White space inside a header's value stays as it is: there are no folded lines
 * here, and the service does not fold anything else, whatever its page says.
 */
#include "sign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "digest.h"

static int append(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text));
}

/* A compiler may leave out a memset() of what is freed next. */
static void wipe(void *bytes, size_t n)
{
	volatile unsigned char *b = bytes;
	while (n > 0)
		b[--n] = 0;
}

static void wipe_text(char **text)
{
	if (*text)
		wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void sign_account_release(struct sign_account *a)
{
	if (a->key)
		wipe(a->key, a->key_size);
	free(a->key);
	wipe_text(&a->name);
	wipe_text(&a->token);
	wipe_text(&a->sas);
	wipe_text(&a->version);
	*a = (struct sign_account){0};
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

int sign_account_set(struct sign_account *a, const char *const texts[5])
{
	*a = (struct sign_account){0};
	int rc = copy_text(&a->name, texts[0]);
	if (rc == 0)
		rc = copy_text(&a->token, texts[2]);
	if (rc == 0)
		rc = copy_text(&a->sas, texts[3]);
	if (rc == 0)
		rc = copy_text(&a->version, texts[4]);
	if (rc == 0 && texts[1]) {
		size_t room = strlen(texts[1]) + 1;
		a->key = malloc(room);
		ssize_t n = a->key ? base64_decode(texts[1], a->key, room)
				   : -ENOMEM;
		a->key_size = n > 0 ? (size_t)n : 0;
		rc = n < 0 ? (int)n : 0;
	}
	if (rc < 0)
		sign_account_release(a);
	return rc;
}

void sign_date(time_t t, char text[SIGN_DATE])
{
	/* Not strftime(): the names of days are English in any locale. */
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;
	if (!gmtime_r(&t, &tm))
		tm = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
	(void)snprintf(
		text, SIGN_DATE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		days + (ptrdiff_t)3 * tm.tm_wday, tm.tm_mday % 100,
		months + (ptrdiff_t)3 * tm.tm_mon, (tm.tm_year + 1900) % 10000,
		tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}

/* ---- Headers ------------------------------------------------------------- */

static bool is_name(const char *line, const char *name)
{
	size_t n = strlen(name);
	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static const char *value_of(const char *line)
{
	const char *colon = strchr(line, ':');
	return colon ? colon + 1 + strspn(colon + 1, " \t") : "";
}

const char *sign_header(const struct sign_what *q, const char *name)
{
	for (size_t i = 0; i < q->n; i++)
		if (is_name(q->headers[i], name))
			return value_of(q->headers[i]);
	return NULL;
}

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? (unsigned char)(u - 'A' + 'a') : u;
}

/* The service sorts names as words are: what is neither letter nor digit comes
 * first, and of that the underscore. */
static unsigned char weight(char c)
{
	return c == ':' || c == '\0' ? 0 : c == '_' ? 1 : lower(c);
}

static int compare_headers(const void *a, const void *b)
{
	const char *x = *(const char *const *)a;
	const char *y = *(const char *const *)b;
	while (weight(*x) != 0 && weight(*x) == weight(*y)) {
		x++;
		y++;
	}
	return (int)weight(*x) - (int)weight(*y);
}

/* Appends "name:value\n". */
static int canonical_header(const char *line, struct buf *out)
{
	const char *value = value_of(line);
	size_t n = strlen(value);
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	int rc = 0;
	for (const char *c = line; *c && *c != ':' && rc == 0; c++) {
		char l = (char)lower(*c);
		rc = buf_append(out, &l, 1);
	}
	if (rc == 0)
		rc = append(out, ":");
	if (rc == 0)
		rc = buf_append(out, value, n);
	return rc == 0 ? append(out, "\n") : rc;
}

static int canonical_headers(const struct sign_what *q, struct buf *out)
{
	const char **lines = malloc((q->n + 1) * sizeof(char *));
	if (!lines)
		return -ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < q->n; i++)
		if (strncasecmp(q->headers[i], "x-ms-", 5) == 0)
			lines[n++] = q->headers[i];
	qsort((void *)lines, n, sizeof(char *), compare_headers);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = canonical_header(lines[i], out);
	free((void *)lines);
	return rc;
}

/* ---- The resource -------------------------------------------------------- */

/* A parameter of the query, decoded, its name in lower case. */
struct parameter {
	char *name;
	char *value;
};

static int hex(char c)
{
	unsigned char l = lower(c);
	if (l >= '0' && l <= '9')
		return l - '0';
	return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* In place. */
static void decode(char *text)
{
	char *to = text;
	for (const char *c = text; *c; c++) {
		int high = *c == '%' ? hex(c[1]) : -1;
		int low = high >= 0 ? hex(c[2]) : -1;
		if (low >= 0) {
			*to++ = (char)(high * 16 + low);
			c += 2;
		} else {
			*to++ = *c;
		}
	}
	*to = '\0';
}

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *x = a;
	const struct parameter *y = b;
	int by_name = strcmp(x->name, y->name);
	return by_name != 0 ? by_name : strcmp(x->value, y->value);
}

/* Cuts a query up where it stands; at most `room` parameters. */
static size_t split_query(char *query, struct parameter *p, size_t room)
{
	size_t n = 0;
	char *rest = NULL;
	for (char *part = strtok_r(query, "&", &rest); part && n < room;
	     part = strtok_r(NULL, "&", &rest)) {
		char *equal = strchr(part, '=');
		if (equal)
			*equal = '\0';
		p[n].name = part;
		p[n].value = equal ? equal + 1 : part + strlen(part);
		decode(p[n].name);
		decode(p[n].value);
		for (char *c = p[n].name; *c; c++)
			*c = (char)lower(*c);
		n++;
	}
	return n;
}

/* Appends "\nname:value,value" for each name. */
static int canonical_query(const char *query, size_t size, struct buf *out)
{
	size_t room = 1;
	for (size_t i = 0; i < size; i++)
		room += query[i] == '&';
	char *text = strndup(query, size);
	struct parameter *p = calloc(room, sizeof(*p));
	int rc = text && p ? 0 : -ENOMEM;
	size_t n = rc == 0 ? split_query(text, p, room) : 0;
	if (n > 0)
		qsort(p, n, sizeof(*p), compare_parameters);
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool again = i > 0 && strcmp(p[i - 1].name, p[i].name) == 0;
		rc = append(out, again ? "," : "\n");
		if (rc == 0 && !again)
			rc = append(out, p[i].name);
		if (rc == 0 && !again)
			rc = append(out, ":");
		if (rc == 0)
			rc = append(out, p[i].value);
	}
	free(p);
	free(text);
	return rc;
}

static int canonical_resource(const char *url, const char *account,
			      struct buf *out)
{
	const char *host = strstr(url, "://");
	if (!host)
		return -EINVAL;
	const char *path = host + 3 + strcspn(host + 3, "/?#");
	size_t size = strcspn(path, "?#");
	const char *query = path + size;
	int rc = append(out, "/");
	if (rc == 0)
		rc = append(out, account);
	if (rc == 0)
		rc = size > 0 ? buf_append(out, path, size) : append(out, "/");
	if (rc == 0 && *query == '?')
		rc = canonical_query(query + 1, strcspn(query + 1, "#"), out);
	return rc;
}

/* ---- The whole ----------------------------------------------------------- */

int sign_string(const struct sign_what *q, const char *account, struct buf *out)
{
	static const char *const signed_ones[] = {"Content-Encoding",
						  "Content-Language",
						  NULL,
						  "Content-MD5",
						  "Content-Type",
						  "Date",
						  "If-Modified-Since",
						  "If-Match",
						  "If-None-Match",
						  "If-Unmodified-Since",
						  "Range"};
	int rc = append(out, q->verb);
	if (rc == 0)
		rc = append(out, "\n");
	char length[24] = "";
	if (q->length > 0)
		(void)snprintf(length, sizeof(length), "%llu",
			       (unsigned long long)q->length);
	size_t n = sizeof(signed_ones) / sizeof(*signed_ones);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const char *name = signed_ones[i];
		const char *value = name ? sign_header(q, name) : length;
		/* x-ms-date stands for it */
		if (name && strcmp(name, "Date") == 0)
			value = NULL;
		if (value)
			rc = append(out, value);
		if (rc == 0)
			rc = append(out, "\n");
	}
	if (rc == 0)
		rc = canonical_headers(q, out);
	return rc == 0 ? canonical_resource(q->url, account, out) : rc;
}

static int sign_with_key(const struct sign_account *a,
			 const struct sign_what *q, struct buf *out)
{
	struct buf text;
	buf_init(&text, (size_t)1 << 20);
	unsigned char mac[DIGEST_SHA256];
	char mac_text[BASE64_SIZE(DIGEST_SHA256)];
	int rc = a->name ? sign_string(q, a->name, &text) : -EINVAL;
	if (rc == 0)
		rc = digest_hmac(a->key, a->key_size, text.bytes, text.len,
				 mac);
	buf_release(&text);
	if (rc == 0)
		rc = append(out, "Authorization: SharedKey ");
	if (rc == 0)
		rc = append(out, a->name);
	if (rc == 0)
		rc = append(out, ":");
	if (rc < 0)
		return rc;
	base64_encode(mac, sizeof(mac), mac_text);
	return buf_append(out, mac_text, sizeof(mac_text));
}

int sign_request(const struct sign_account *a, const struct sign_what *q,
		 struct buf *out)
{
	if (a->key)
		return sign_with_key(a, q, out);
	if (!a->token)
		return 0;
	int rc = append(out, "Authorization: Bearer ");
	return rc == 0 ? buf_append(out, a->token, strlen(a->token) + 1) : rc;
}

int sign_url(const struct sign_account *a, const char *url, struct buf *out)
{
	size_t size = strcspn(url, "#");
	int rc = buf_append(out, url, size);
	if (rc == 0 && a->sas && !a->key && !a->token) {
		rc = append(out, memchr(url, '?', size) ? "&" : "?");
		if (rc == 0)
			rc = append(out, a->sas);
	}
	return rc == 0 ? buf_append(out, "", 1) : rc;
}
