/*
 * Digests, by libcrypto, and base64. No text is logged or kept.
 */
#ifndef POOL_DIGEST_H
#define POOL_DIGEST_H

#include <stddef.h>
#include <sys/types.h>

enum {
	DIGEST_MD5 = 16, /* bytes */
	DIGEST_SHA256 = 32,
	DIGEST_MD5_TEXT = 25, /* in base64, with its end */
};

/* With its end. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* Writes BASE64_SIZE(n) bytes. */
void base64_encode(const void *bytes, size_t n, char *text);

/* At most `room` bytes: how many; -EINVAL where it is not base64, -ENOSPC.
 * White space at the ends is allowed, missing padding is not. */
ssize_t base64_decode(const char *text, unsigned char *bytes, size_t room);

/* 0 or -EIO. */
int digest_hmac(const void *key, size_t size, const void *bytes, size_t n,
		unsigned char out[DIGEST_SHA256]);

/* Bytes that nobody can guess, also in a fork; 0 or -EIO. */
int digest_random(void *bytes, size_t n);

/* MD5 piece by piece. A zeroed one is empty; the caller's until released. */
struct digest {
	void *state;
};

/* 0, -ENOMEM, or -ENOTSUP where the system forbids MD5. */
int digest_start(struct digest *d);
int digest_add(struct digest *d, const void *bytes, size_t n);

/* The digest of all so far, in base64. What is added then begins anew. */
int digest_end(struct digest *d, char text[DIGEST_MD5_TEXT]);
void digest_release(struct digest *d);

#endif
