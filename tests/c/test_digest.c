/* Digests and base64, by the examples of RFC 1321, 4231 and 4648. */
#include "digest.h"

#include "test.h"

static void check_hex(const unsigned char *bytes, size_t n, const char *hex)
{
	char text[2 * DIGEST_SHA256 + 1];
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	CHECK(strcmp(text, hex) == 0);
}

static void test_hmac(void)
{
	unsigned char key[131];
	unsigned char out[DIGEST_SHA256];
	memset(key, 0x0b, 20);
	CHECK(digest_hmac(key, 20, "Hi There", 8, out) == 0);
	check_hex(out, sizeof(out),
		  "b0344c61d8db38535ca8afceaf0bf12b"
		  "881dc200c9833da726e9376c2e32cff7");
	const char *text = "what do ya want for nothing?";
	CHECK(digest_hmac("Jefe", 4, text, strlen(text), out) == 0);
	check_hex(out, sizeof(out),
		  "5bdcc146bf60754e6a042426089575c7"
		  "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	text = "Test Using Larger Than Block-Size Key - Hash Key First";
	CHECK(digest_hmac(key, sizeof(key), text, strlen(text), out) == 0);
	check_hex(out, sizeof(out),
		  "60e431591ee0b67f0d8a26aacbf5b77f"
		  "8e0bc6213728c5140546040f0ee37f54");
	CHECK(digest_hmac(NULL, 0, "", 0, out) == 0);
	check_hex(out, sizeof(out),
		  "b613679a0814d9ec772f95d778c35fc5"
		  "ff1697c493715653c6c712144292c5ad");
}

static void check_md5(const char *text, const char *hex)
{
	struct digest d = {0};
	char got[DIGEST_MD5_TEXT];
	unsigned char bytes[DIGEST_MD5];
	CHECK(digest_start(&d) == 0);
	for (size_t i = 0; text[i]; i++)
		CHECK(digest_add(&d, text + i, 1) == 0);
	for (int again = 0; again < 2; again++) {
		CHECK(digest_end(&d, got) == 0);
		CHECK(base64_decode(got, bytes, sizeof(bytes)) == DIGEST_MD5);
		check_hex(bytes, sizeof(bytes), hex);
		CHECK(digest_add(&d, text, strlen(text)) == 0);
	}
	digest_release(&d);
	digest_release(&d);
}

static void test_md5(void)
{
	check_md5("", "d41d8cd98f00b204e9800998ecf8427e");
	check_md5("abc", "900150983cd24fb0d6963f7d28e17f72");
	check_md5("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
	check_md5("1234567890123456789012345678901234567890"
		  "1234567890123456789012345678901234567890",
		  "57edf4a22be3c955ac49da2e2107b67a");
}

static void test_base64(void)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};
	char text[16];
	unsigned char bytes[16];
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		size_t n = strlen(pairs[i][0]);
		base64_encode(pairs[i][0], n, text);
		CHECK(strcmp(text, pairs[i][1]) == 0);
		CHECK(base64_decode(text, bytes, 16) == (ssize_t)n);
		CHECK(memcmp(bytes, pairs[i][0], n) == 0);
	}
	CHECK(base64_decode(" Zm9v\r\n", bytes, 16) == 3);
	static const char *const bad[] = {"Zm9",      "Zm9v=", "Z===",	 "====",
					  "Zg==Zg==", "Zm-v",  "Zm\n9v", "key"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(base64_decode(bad[i], bytes, 16) == -EINVAL);
	CHECK(base64_decode("Zm9vYmFy", bytes, 5) == -ENOSPC);
}

static void test_round(void)
{
	unsigned char from[200];
	unsigned char to[200];
	char text[BASE64_SIZE(sizeof(from))];
	for (size_t n = 0; n < sizeof(from); n++) {
		CHECK(digest_random(from, n) == 0);
		base64_encode(from, n, text);
		CHECK(strlen(text) + 1 == BASE64_SIZE(n));
		CHECK(base64_decode(text, to, n) == (ssize_t)n);
		CHECK(memcmp(from, to, n) == 0);
	}
}

int main(void)
{
	test_hmac();
	test_md5();
	test_base64();
	test_round();
	return 0;
}
