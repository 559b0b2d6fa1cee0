/* Growing, the hard cap, emptying. */
#include "buf.h"

#include "test.h"

static void fill(unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(i * 31 + i / 251);
}

static void grows_and_keeps(void)
{
	enum { N = 300000 };
	static unsigned char all[N];
	fill(all, N);
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	CHECK(!b.bytes && b.len == 0 && b.cap == 0);
	CHECK(buf_append(&b, NULL, 0) == 0 && b.len == 0);
	size_t moves = 0;
	const unsigned char *was = NULL;
	for (size_t at = 0; at < N;) {
		size_t k = 1 + test_below(5000);
		k = k > N - at ? N - at : k;
		CHECK(buf_append(&b, all + at, k) == 0);
		at += k;
		CHECK(b.len == at && b.cap >= b.len);
		moves += b.bytes != was;
		was = b.bytes;
	}
	CHECK(memcmp(b.bytes, all, N) == 0);
	CHECK(moves <= 8); /* 4 KB, doubled */
	buf_release(&b);
	CHECK(!b.bytes && b.len == 0 && b.cap == 0);
	CHECK(buf_append(&b, all, 10) == 0); /* of use again */
	CHECK(b.len == 10 && memcmp(b.bytes, all, 10) == 0);
	buf_release(&b);
}

static void reserves(void)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	CHECK(buf_reserve(&b, 100000) == 0);
	CHECK(b.len == 0 && b.cap >= 100000);
	const unsigned char *at = b.bytes;
	for (int i = 0; i < 100000; i++)
		CHECK(buf_append(&b, "x", 1) == 0);
	CHECK(b.bytes == at && b.len == 100000);
	CHECK(buf_reserve(&b, 0) == 0 && b.bytes == at);
	buf_release(&b);
}

static void has_a_cap(void)
{
	struct buf b;
	buf_init(&b, 10);
	CHECK(buf_append(&b, "12345678", 8) == 0);
	CHECK(buf_append(&b, "abc", 3) == -EFBIG);
	CHECK(b.len == 8 && memcmp(b.bytes, "12345678", 8) == 0);
	CHECK(buf_reserve(&b, 3) == -EFBIG);
	CHECK(buf_reserve(&b, SIZE_MAX) == -EFBIG);
	CHECK(buf_reserve(&b, SIZE_MAX - 7) == -EFBIG); /* 8 + that is 0 */
	CHECK(buf_append(&b, "ab", 2) == 0 && b.len == 10);
	CHECK(buf_reserve(&b, 1) == -EFBIG && buf_reserve(&b, 0) == 0);
	buf_release(&b);
	CHECK(b.max == 10);
	CHECK(buf_append(&b, "12345678901", 11) == -EFBIG && b.len == 0);
	buf_release(&b);
}

static void consumes(void)
{
	struct buf b;
	buf_init(&b, 100);
	CHECK(buf_append(&b, "0123456789", 10) == 0);
	buf_consume(&b, 0);
	CHECK(b.len == 10);
	buf_consume(&b, 3);
	CHECK(b.len == 7 && memcmp(b.bytes, "3456789", 7) == 0);
	buf_consume(&b, 6);
	CHECK(b.len == 1 && b.bytes[0] == '9');
	buf_consume(&b, 1);
	CHECK(b.len == 0);
	CHECK(buf_append(&b, "ab", 2) == 0);
	buf_consume(&b, 3); /* more than there is */
	CHECK(b.len == 0);
	buf_release(&b);
}

static void gives_memory_back(void)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	CHECK(buf_append(&b, "abc", 3) == 0);
	const unsigned char *at = b.bytes;
	buf_clear(&b);
	CHECK(b.len == 0 && b.bytes == at && b.cap > 0); /* little is kept */
	CHECK(buf_reserve(&b, (size_t)64 << 20) == 0);
	b.len = (size_t)64 << 20;
	buf_clear(&b);
	CHECK(b.len == 0 && !b.bytes && b.cap == 0); /* much is not */
	buf_release(&b);
}

int main(void)
{
	grows_and_keeps();
	reserves();
	has_a_cap();
	consumes();
	gives_memory_back();
	return 0;
}
