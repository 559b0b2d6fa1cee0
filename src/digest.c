/* Digests, by libcrypto, and base64. */
#include "digest.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t n, char *text)
{
	const unsigned char *b = bytes;
	for (; n > 0; b += 3, text += 4) {
		unsigned word = (unsigned)b[0] << 16;
		if (n > 1)
			word |= (unsigned)b[1] << 8;
		if (n > 2)
			word |= b[2];
		text[0] = alphabet[word >> 18];
		text[1] = alphabet[word >> 12 & 63];
		text[2] = n > 1 ? alphabet[word >> 6 & 63] : '=';
		text[3] = n > 2 ? alphabet[word & 63] : '=';
		n -= n < 3 ? n : 3;
	}
	*text = '\0';
}

/* 0 to 63, or -1. */
static int digit(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);
	return at ? (int)(at - alphabet) : -1;
}

/* The bytes of four characters: 1 to 3, or -EINVAL. */
static int decode_four(const char *text, unsigned char out[3])
{
	int d[4];
	for (int i = 0; i < 4; i++)
		d[i] = digit(text[i]);
	int n = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
	for (int i = 0; i <= n; i++)
		if (d[i] < 0)
			return -EINVAL;
	unsigned word = (unsigned)d[0] << 18 | (unsigned)d[1] << 12;
	if (n > 1)
		word |= (unsigned)d[2] << 6;
	if (n > 2)
		word |= (unsigned)d[3];
	out[0] = (unsigned char)(word >> 16);
	out[1] = (unsigned char)(word >> 8);
	out[2] = (unsigned char)word;
	return n;
}

ssize_t base64_decode(const char *text, unsigned char *bytes, size_t room)
{
	static const char white[] = " \t\r\n";
	text += strspn(text, white);
	size_t n = strlen(text);
	while (n > 0 && strchr(white, text[n - 1]))
		n--;
	if (n % 4 != 0)
		return -EINVAL;
	size_t len = 0;
	for (size_t i = 0; i < n; i += 4) {
		unsigned char three[3];
		int got = decode_four(text + i, three);
		if (got < 0 || (got < 3 && i + 4 < n))
			return -EINVAL;
		if (room - len < (size_t)got)
			return -ENOSPC;
		memcpy(bytes + len, three, (size_t)got);
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int digest_hmac(const void *key, size_t size, const void *bytes, size_t n,
		unsigned char out[DIGEST_SHA256])
{
	unsigned len = 0;
	if (!HMAC(EVP_sha256(), size > 0 ? key : "", (int)size, bytes, n, out,
		  &len))
		return -EIO;
	return len == DIGEST_SHA256 ? 0 : -EIO;
}

int digest_random(void *bytes, size_t n)
{
	return RAND_bytes(bytes, (int)n) == 1 ? 0 : -EIO;
}

int digest_start(struct digest *d)
{
	if (!d->state)
		d->state = EVP_MD_CTX_new();
	if (!d->state)
		return -ENOMEM;
	return EVP_DigestInit_ex(d->state, EVP_md5(), NULL) ? 0 : -ENOTSUP;
}

int digest_add(struct digest *d, const void *bytes, size_t n)
{
	return EVP_DigestUpdate(d->state, bytes, n) ? 0 : -EIO;
}

int digest_end(struct digest *d, char text[DIGEST_MD5_TEXT])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!EVP_DigestFinal_ex(d->state, bytes, &len) || len != DIGEST_MD5)
		return -EIO;
	base64_encode(bytes, len, text);
	return digest_start(d);
}

void digest_release(struct digest *d)
{
	EVP_MD_CTX_free(d->state);
	d->state = NULL;
}
