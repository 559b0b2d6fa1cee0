/*
 * One request: how libcurl is told, and what its callbacks do.
 *
 * A callback that fails leaves -errno in `local`: libcurl's own code only says
 * that one did. What a try wrote into its sink is written over by the next.
 */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "head.h"
#include "retry.h"

enum {
	CONNECT_MS = 10000,
	SMALL_BODY = 60000, /* goes out with its head, in one piece */
	LARGE_BODY = 1 << 20,
	RESOLVE_TRIES = 3, /* a name that nobody knows is a mistake, mostly */
	/* Bytes a second that a whole try must come to, however busy the line:
	 * one that is dead is found by its stall, long before. */
	SLOW = 1024,
};

void exchange_init(struct exchange *x, size_t most)
{
	*x = (struct exchange){.body.fd = -1, .sink.fd = -1};
	answer_init(&x->answer);
	buf_init(&x->text, most);
}

void exchange_release(struct exchange *x)
{
	curl_slist_free_all(x->lines);
	x->lines = NULL;
	answer_release(&x->answer);
	buf_release(&x->text);
}

/* ---- Callbacks ----------------------------------------------------------- */

static bool succeeds(const struct exchange *x)
{
	return x->answer.status >= 200 && x->answer.status < 300;
}

static size_t on_header(char *line, size_t size, size_t n, void *of)
{
	struct exchange *x = of;
	x->local = answer_line(&x->answer, line, size * n);
	return x->local < 0 ? 0 : size * n;
}

static int write_file(struct exchange *x, const char *bytes, size_t n)
{
	uint64_t at = x->sink.offset + x->received;
	while (n > 0) {
		ssize_t put = pwrite(x->sink.fd, bytes, n, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		at += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

static int write_text(struct exchange *x, const char *bytes, size_t n)
{
	if (!succeeds(x)) {
		size_t room = x->text.max - x->text.len;
		return buf_append(&x->text, bytes, n < room ? n : room);
	}
	if (x->text.len == 0) {
		curl_off_t whole = 0;
		(void)curl_easy_getinfo(
			x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &whole);
		if (whole > 0 && (uint64_t)whole <= x->text.max)
			(void)buf_reserve(&x->text, (size_t)whole);
	}
	return buf_append(&x->text, bytes, n);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *of)
{
	struct exchange *x = of;
	n *= size;
	if (!succeeds(x) || (x->sink.fd < 0 && !x->sink.at))
		x->local = write_text(x, bytes, n);
	else if (n > x->sink.most - x->received)
		x->local = -EMSGSIZE;
	else if (x->sink.fd >= 0)
		x->local = write_file(x, bytes, n);
	else
		memcpy(x->sink.at + x->received, bytes, n);
	if (x->local < 0)
		return 0;
	if (succeeds(x))
		x->received += n;
	return n;
}

static size_t on_read(char *bytes, size_t size, size_t n, void *of)
{
	struct exchange *x = of;
	uint64_t left = x->body.length - x->sent;
	n *= size;
	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	if (x->body.fd < 0) {
		memcpy(bytes, x->body.bytes + x->sent, n);
	} else {
		ssize_t got;
		do
			got = pread(x->body.fd, bytes, n,
				    (off_t)(x->body.offset + x->sent));
		while (got < 0 && errno == EINTR);
		if (got <= 0) {
			x->local = got < 0 ? -errno : -ENODATA;
			return CURL_READFUNC_ABORT;
		}
		n = (size_t)got;
	}
	x->sent += n;
	return n;
}

/* libcurl sends a body anew where a kept-alive connection turns out dead. */
static int on_seek(void *of, curl_off_t offset, int origin)
{
	struct exchange *x = of;
	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > x->body.length)
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- A try --------------------------------------------------------------- */

/* libcurl's option setter, its codes gathered: any but CURLE_OK stays. */
#define SET(option, value)                                                     \
	(code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code)

static CURLcode set_limits(const struct exchange *x, CURL *easy)
{
	CURLcode code = CURLE_OK;
	double stall = x->timeout >= 1 ? x->timeout : 1;
	if (!(stall < 1e6))
		stall = 1e6;
	uint64_t bytes = x->body.length + x->sink.most;
	double total = stall * 20 + (double)bytes / SLOW;
	long connect =
		stall * 1000 < CONNECT_MS ? (long)(stall * 1000) : CONNECT_MS;
	SET(CURLOPT_CONNECTTIMEOUT_MS, connect);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)(stall + 0.999));
	SET(CURLOPT_TIMEOUT_MS, (long)(total < 1e6 ? total * 1000 : 1e9));
	if (bytes >= LARGE_BODY) {
		SET(CURLOPT_BUFFERSIZE, 256L << 10);
#if LIBCURL_VERSION_NUM >= 0x073e00
		SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
#endif
	}
	return code;
}

/* Without TLS, to this machine. */
static bool stays_here(const char *url)
{
	static const char name[] = "localhost";
	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	const char *host = url + 7;
	size_t n = strcspn(host, ":/?#");
	size_t size = sizeof(name) - 1;
	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	if (strncmp(host, "127.", 4) == 0)
		return strspn(host, "0123456789.") == n;
	return n >= size && strncasecmp(host + n - size, name, size) == 0 &&
	       (n == size || host[n - size - 1] == '.');
}

static CURLcode set_safety(const struct exchange *x, CURL *easy,
			   const char *ca_file)
{
	CURLcode code = CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	/* A proxy of the environment would be told it in clear. */
	if (stays_here(x->url))
		SET(CURLOPT_PROXY, "");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file)
		SET(CURLOPT_CAINFO, ca_file);
	SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* An interrupt does not wait for a name server that says nothing. */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	/* Dots and slashes are part of a blob's name. */
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return code;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Where a kept connection turns out to be dead, libcurl sends the request
 * again, unasked, over a new one. Whoever sends what must not be done twice has
 * to know. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_send(void *of, char *remote, char *local, int port, int from)
{
	(void)remote, (void)local, (void)port, (void)from;
	((struct exchange *)of)->sends++;
	return CURL_PREREQFUNC_OK;
}
#endif

static CURLcode set_body(struct exchange *x, CURL *easy)
{
	CURLcode code = CURLE_OK;
	bool puts = strcmp(x->verb, "PUT") == 0 || strcmp(x->verb, "POST") == 0;
	if (strcmp(x->verb, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
		return code;
	}
	if (x->body.fd < 0 && x->body.length > 0 &&
	    x->body.length <= SMALL_BODY) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.length);
		SET(CURLOPT_POSTFIELDS, x->body.bytes);
	} else if (puts || x->body.length > 0) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body.length);
		SET(CURLOPT_READFUNCTION, on_read);
		SET(CURLOPT_READDATA, x);
		SET(CURLOPT_SEEKFUNCTION, on_seek);
		SET(CURLOPT_SEEKDATA, x);
	} else {
		SET(CURLOPT_HTTPGET, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, x->verb);
	return code;
}

static CURLcode set_answer(struct exchange *x, CURL *easy)
{
	CURLcode code = CURLE_OK;
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_ERRORBUFFER, x->error);
	SET(CURLOPT_PRIVATE, x);
#if LIBCURL_VERSION_NUM >= 0x075000
	SET(CURLOPT_PREREQFUNCTION, on_send);
	SET(CURLOPT_PREREQDATA, x);
#endif
	return code;
}

/* The URL may hold a signature, and so is freed with its bytes gone. */
static CURLcode set_url(const struct exchange *x, CURL *easy)
{
	struct buf url;
	buf_init(&url, (size_t)1 << 20);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (sign_url(x->account, x->url, &url) == 0)
		code = curl_easy_setopt(easy, CURLOPT_URL,
					(const char *)url.bytes);
	if (url.len > 0)
		memset(url.bytes, 0, url.len);
	buf_release(&url);
	return code;
}

int exchange_prepare(struct exchange *x, CURL *easy,
		     const struct exchange_setup *s)
{
	answer_clear(&x->answer);
	buf_clear(&x->text);
	x->sent = x->received = 0;
	x->rc = x->local = 0;
	x->error[0] = '\0';
	curl_slist_free_all(x->lines);
	x->lines = NULL;
	const struct sign_what what = {x->verb, x->url, x->headers,
				       x->n_headers, x->body.length};
	x->skew = s->skew;
	int rc = head_make(x->account, &what, time(NULL) + x->skew, &x->lines);
	if (rc < 0)
		return rc;
	CURLcode code = set_safety(x, easy, s->ca_file);
	SET(CURLOPT_USERAGENT, s->agent);
	SET(CURLOPT_HTTPHEADER, x->lines);
	if (code == CURLE_OK)
		code = set_url(x, easy);
	if (code == CURLE_OK)
		code = set_limits(x, easy);
	if (code == CURLE_OK)
		code = set_body(x, easy);
	if (code == CURLE_OK)
		code = set_answer(x, easy);
	if (code != CURLE_OK)
		return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	x->easy = easy;
	x->sends = 0;
	x->tries++;
	return 0;
}

/* ---- After a try --------------------------------------------------------- */

/* Of those that end without an answer, what may be otherwise next time. */
static bool passes(CURLcode code, unsigned tries)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SEND_FAIL_REWIND:
#if LIBCURL_VERSION_NUM >= 0x073300
	case CURLE_WEIRD_SERVER_REPLY:
#endif
		return true;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return tries < RESOLVE_TRIES;
	default:
		return false;
	}
}

static void fail(struct exchange *x, CURLcode code)
{
	x->rc = x->local < 0			   ? x->local
		: code == CURLE_OUT_OF_MEMORY	   ? -ENOMEM
		: code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT
						   : -ENOTCONN;
	if (x->local < 0)
		(void)snprintf(x->error, sizeof(x->error), "%s",
			       strerror(-x->local));
	else if (x->error[0] == '\0')
		(void)snprintf(x->error, sizeof(x->error), "%s",
			       curl_easy_strerror(code));
	answer_clear(&x->answer);
}

bool exchange_again(struct exchange *x, CURLcode code, double random)
{
	bool again;
	double after = -1;
	x->easy = NULL;
	x->throttled = false;
	if (x->sends > 1)
		x->tries += x->sends - 1;
	if (code != CURLE_OK) {
		again = x->local == 0 && passes(code, x->tries);
		x->throttled = code == CURLE_OPERATION_TIMEDOUT;
		fail(x, code);
	} else {
		again = retry_status(x->answer.status);
		x->throttled = retry_throttled(x->answer.status);
		after = answer_delay(&x->answer, time(NULL));
	}
	if (again)
		x->moment = clock_now() + retry_delay(x->tries, after, random);
	return again && x->tries <= x->retries;
}
