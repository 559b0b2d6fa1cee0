/*
 * How a request shows who it is from: SharedKey, a bearer token, a shared
 * access signature, or nothing. The string to sign is that of the Blob and the
 * Queue service from version 2009-09-19 on. Pure but for the digests.
 */
#ifndef POOL_SIGN_H
#define POOL_SIGN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "buf.h"

enum { SIGN_DATE = 40 }; /* "Sun, 06 Nov 1994 08:49:37 GMT", with its end */

/* Whose account it is: the first of key, token and sas that there is. */
struct sign_account {
	char *name;
	unsigned char *key; /* decoded */
	size_t key_size;
	char *token;
	char *sas;     /* without "?" */
	char *version; /* of the service: x-ms-version */
};

/* What of a request is signed. */
struct sign_what {
	const char *verb;
	const char *url;	    /* whole, escaped; a fragment is left out */
	const char *const *headers; /* "Name: value", each name once */
	size_t n;
	uint64_t length; /* of the body */
};

/* Takes copies of `texts`: name, key (base64), token, sas, version; NULL: not
 * there. 0, -ENOMEM, or -EINVAL where the key is not base64. */
int sign_account_set(struct sign_account *a, const char *const texts[5]);

/* Also wipes its secrets. */
void sign_account_release(struct sign_account *a);

/* "value" of the header, or NULL; names are compared without their case. */
const char *sign_header(const struct sign_what *q, const char *name);

void sign_date(time_t t, char text[SIGN_DATE]);

/* Appends the string to sign; 0 or -errno of buf, -EINVAL for a bad URL. */
int sign_string(const struct sign_what *q, const char *account,
		struct buf *out);

/* Appends "Authorization: ..." with its end, or nothing where there is neither
 * key nor token. */
int sign_request(const struct sign_account *a, const struct sign_what *q,
		 struct buf *out);

/* Appends the URL, with the signature where there is one, and its end. */
int sign_url(const struct sign_account *a, const char *url, struct buf *out);

#endif
