/*
 * One request and its answer, through as many tries as it takes.
 *
 * What is asked belongs to the caller and stays as it is until the exchange is
 * done or cancelled; what came of it is valid until exchange_release().
 * http.h drives it.
 */
#ifndef POOL_EXCHANGE_H
#define POOL_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <curl/curl.h>

#include "answer.h"
#include "buf.h"
#include "sign.h"

/* Bytes to send: of memory, or of an open file. */
struct exchange_body {
	const unsigned char *bytes;
	int fd; /* -1: memory */
	uint64_t offset;
	uint64_t length;
};

/* Where the body of an answer that says "success" goes: a file, memory, or,
 * with neither, the exchange's own `text`. More than `most` bytes are an error.
 */
struct exchange_sink {
	int fd; /* -1: no file */
	uint64_t offset;
	unsigned char *at;
	uint64_t most;
};

struct exchange {
	const char *verb;
	const char *url; /* whole, escaped, without the signature */
	const struct sign_account *account;
	const char *const *headers; /* "Name: value" */
	size_t n_headers;
	struct exchange_body body;
	struct exchange_sink sink;
	unsigned retries; /* after the first try */
	double timeout;	  /* seconds without a byte that end a try */
	void (*done)(struct exchange *x); /* may ask for others, and release */
	void *of;

	/* 0: there was an answer, whatever its status. -ENOTCONN: none,
	 * -ETIMEDOUT: none in time, else -errno of a local file or memory;
	 * -ENODATA: the file to send has become too short. */
	int rc;
	struct answer answer;
	struct buf text; /* a body that no sink took; of an error, cut */
	unsigned tries;
	uint64_t sent; /* of this try */
	uint64_t received;
	char error[CURL_ERROR_SIZE]; /* why there was no answer; no secret */

	/* The engine's. */
	CURL *easy;
	struct curl_slist *lines;
	int local; /* -errno of a callback */
	bool throttled;
	bool skewed;	 /* tried again with the server's time */
	time_t skew;	 /* that this try was signed with */
	unsigned sends;	 /* in this try: libcurl may do it again by itself */
	uint64_t moment; /* of the next try */
	struct exchange *next;
};

/* An empty one, without body or sink; `most` is the cap of `text`. */
void exchange_init(struct exchange *x, size_t most);

/* Not while the engine has it. */
void exchange_release(struct exchange *x);

/* What all exchanges of an engine share. */
struct exchange_setup {
	const char *ca_file; /* NULL: the system's */
	const char *agent;
	time_t skew; /* seconds that the server's clock is ahead */
};

/* Sets up for the next try a handle that is new or reset, and signs it; 0 or
 * -errno. */
int exchange_prepare(struct exchange *x, CURL *easy,
		     const struct exchange_setup *s);

/* After a try: true where another one is due, `moment` says when (`random`: 0
 * to 1). */
bool exchange_again(struct exchange *x, CURLcode code, double random);

#endif
