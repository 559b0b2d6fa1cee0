/* The string to sign: the examples of the service's page "Authorize with Shared
 * Key", and what they leave out. */
#include "sign.h"

#include "digest.h"
#include "test.h"

#define DATE "x-ms-date: Fri, 26 Jun 2015 23:39:12 GMT"
#define SIGNED_DATE "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
#define VERSION "x-ms-version: 2015-02-21"
#define SIGNED_VERSION "x-ms-version:2015-02-21\n"
#define N(array) (sizeof(array) / sizeof(*(array)))

static void check_string(struct sign_what what, const char *expected)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	CHECK(sign_string(&what, "myaccount", &out) == 0);
	CHECK(buf_append(&out, "", 1) == 0);
	if (strcmp((char *)out.bytes, expected) != 0)
		(void)fprintf(stderr, "got: %s\n", (char *)out.bytes);
	CHECK(strcmp((char *)out.bytes, expected) == 0);
	buf_release(&out);
}

static void test_examples(void)
{
	const char *headers[] = {DATE, VERSION};
	struct sign_what what = {
		"GET",
		"https://myaccount.blob.core.windows.net/mycontainer"
		"?comp=metadata&restype=container&timeout=20",
		headers, 2, 0};
	check_string(what,
		     "GET\n\n\n\n\n\n\n\n\n\n\n\n" SIGNED_DATE SIGNED_VERSION
		     "/myaccount/mycontainer\n"
		     "comp:metadata\nrestype:container\ntimeout:20");
	what.url = "http://myaccount.blob.core.windows.net/mycontainer?"
		   "restype=container&comp=list&include=snapshots&"
		   "include=metadata&include=uncommittedblobs";
	check_string(what,
		     "GET\n\n\n\n\n\n\n\n\n\n\n\n" SIGNED_DATE SIGNED_VERSION
		     "/myaccount/mycontainer\n"
		     "comp:list\n"
		     "include:metadata,snapshots,uncommittedblobs\n"
		     "restype:container");
	what.url = "https://myaccount-secondary.blob.core.windows.net/"
		   "mycontainer/myblob";
	check_string(what,
		     "GET\n\n\n\n\n\n\n\n\n\n\n\n" SIGNED_DATE SIGNED_VERSION
		     "/myaccount/mycontainer/myblob");
}

static void test_order(void)
{
	const char *headers[] = {
		"If-None-Match: *",
		"x-ms-meta-b: last",
		"range: bytes=0-4",
		"X-Ms-Meta-A_B:\t two  words \t",
		"Content-Type: text/plain; charset=UTF-8",
		"x-ms-meta-a1:",
		"x-ms-blob-type: BlockBlob",
		"Content-MD5: XUFAKrxLKna5cZ2REBfFkg==",
		"Content-Encoding: gzip",
		"Content-Language: en-US",
		"If-Modified-Since: a",
		"If-Match: b",
		"If-Unmodified-Since: c",
		"Date: not signed",
		DATE,
		"x-ms-meta-a: first",
	};
	struct sign_what what = {"PUT", "http://127.0.0.1:10000/myaccount/c/b",
				 headers, N(headers), 11};
	check_string(what,
		     "PUT\ngzip\nen-US\n11\nXUFAKrxLKna5cZ2REBfFkg==\n"
		     "text/plain; charset=UTF-8\n\na\nb\n*\nc\nbytes=0-4\n"
		     "x-ms-blob-type:BlockBlob\n" SIGNED_DATE
		     "x-ms-meta-a:first\nx-ms-meta-a_b:two  words\n"
		     "x-ms-meta-a1:\nx-ms-meta-b:last\n"
		     "/myaccount/myaccount/c/b");
}

static void test_urls(void)
{
	struct sign_what what = {"PUT", "http://h", NULL, 0, 0};
	const char *head = "PUT\n\n\n\n\n\n\n\n\n\n\n\n";
	static const char *const pairs[][2] = {
		{"http://h", "/myaccount/"},
		{"http://h/", "/myaccount/"},
		{"http://h?comp=list", "/myaccount/\ncomp:list"},
		{"https://h:1/a%20b%2Fc#x?y=z", "/myaccount/a%20b%2Fc"},
		{"http://h/c/../b?", "/myaccount/c/../b"},
		{"http://h/c?Prefix=a%2Bb%26%3d&COMP=List&x&=y&",
		 "/myaccount/c\n:y\ncomp:List\nprefix:a+b&=\nx:"},
		{"http://h/c?a=%zz%4&a=%41=b", "/myaccount/c\na:%zz%4,A=b"},
		{"http://h/c?b=1&a=2#c=3", "/myaccount/c\na:2\nb:1"},
	};
	for (size_t i = 0; i < N(pairs); i++) {
		char expected[200];
		(void)snprintf(expected, sizeof(expected), "%s%s", head,
			       pairs[i][1]);
		what.url = pairs[i][0];
		check_string(what, expected);
	}
	struct buf out;
	buf_init(&out, 1 << 16);
	what.url = "nothing";
	CHECK(sign_string(&what, "a", &out) == -EINVAL);
	buf_release(&out);
	buf_init(&out, 10); /* what is too long is refused */
	what.url = "http://h/c";
	CHECK(sign_string(&what, "a", &out) == -EFBIG);
	buf_release(&out);
}

static void check_request(const char *const texts[5], const char *line,
			  const char *url)
{
	struct sign_account a;
	struct buf out;
	struct sign_what what = {"GET", "http://h/c?comp=list", NULL, 0, 0};
	CHECK(sign_account_set(&a, texts) == 0);
	buf_init(&out, 1 << 16);
	CHECK(sign_request(&a, &what, &out) == 0);
	CHECK(line ? strcmp((char *)out.bytes, line) == 0 : out.len == 0);
	buf_clear(&out);
	CHECK(sign_url(&a, what.url, &out) == 0);
	CHECK(strcmp((char *)out.bytes, url) == 0);
	buf_release(&out);
	sign_account_release(&a);
	sign_account_release(&a);
}

static void test_requests(void)
{
	unsigned char mac[DIGEST_SHA256];
	char text[BASE64_SIZE(DIGEST_SHA256)];
	char line[200];
	const char *to_sign = "GET\n\n\n\n\n\n\n\n\n\n\n\n/me/c\ncomp:list";
	CHECK(digest_hmac("foo", 3, to_sign, strlen(to_sign), mac) == 0);
	base64_encode(mac, sizeof(mac), text);
	(void)snprintf(line, sizeof(line), "Authorization: SharedKey me:%s",
		       text);
	const char *url = "http://h/c?comp=list";
	check_request((const char *[]){"me", "Zm9v", "t", "sig=s", NULL}, line,
		      url);
	check_request((const char *[]){"me", NULL, "t", "sig=s", NULL},
		      "Authorization: Bearer t", url);
	check_request((const char *[]){"me", NULL, NULL, "sig=s", "v"}, NULL,
		      "http://h/c?comp=list&sig=s");
	check_request((const char *[]){NULL, NULL, NULL, NULL, NULL}, NULL,
		      url);
	struct sign_account a;
	const char *bad[5] = {"me", "key", NULL, NULL, NULL};
	CHECK(sign_account_set(&a, bad) == -EINVAL);
	CHECK(!a.name && !a.key);
}

static void test_date(void)
{
	char text[SIGN_DATE];
	sign_date(784111777, text);
	CHECK(strcmp(text, "Sun, 06 Nov 1994 08:49:37 GMT") == 0);
	sign_date(0, text);
	CHECK(strcmp(text, "Thu, 01 Jan 1970 00:00:00 GMT") == 0);
	sign_date(1709210096, text);
	CHECK(strcmp(text, "Thu, 29 Feb 2024 12:34:56 GMT") == 0);
}

int main(void)
{
	test_examples();
	test_order();
	test_urls();
	test_requests();
	test_date();
	return 0;
}
