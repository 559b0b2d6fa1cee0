/* Sealed records: pure, without LMDB. What is changed anywhere is seen. */
#include "sealed.h"

#include "crc32c.h"
#include "test.h"

enum { TAG = 3 };

static void test_numbers(void)
{
	static const uint64_t all[] = {0,
				       1,
				       2,
				       255,
				       256,
				       65535,
				       UINT32_MAX,
				       UINT64_C(1) << 53,
				       UINT64_MAX / 2,
				       UINT64_MAX};
	size_t n = sizeof all / sizeof *all;
	for (size_t i = 0; i < n; i++) {
		uint64_t back;
		struct number_key k = number_key(all[i]);
		CHECK(number_of_key((struct bytes){&k, sizeof k}, &back) == 0);
		CHECK(back == all[i]);
		CHECK(number_of_key((struct bytes){&k, 7}, &back) == -EBADMSG);
		CHECK(number_of_key((struct bytes){&k, 0}, &back) == -EBADMSG);
		for (size_t j = i + 1; j < n; j++) {
			struct number_key l = number_key(all[j]);
			CHECK(memcmp(&k, &l, sizeof k) < 0);
		}
	}
}

/* As sealed_put() makes it; the contract is that of the files that are there.
 */
static size_t seal(struct bytes key, const unsigned char *content, size_t n,
		   unsigned char *out)
{
	unsigned char place[10] = {TAG, (unsigned char)key.n};
	uint64_t length = n;
	memcpy(place + 2, &length, 8);
	uint32_t crc = crc32c(0, place, sizeof place);
	crc = crc32c(crc32c(crc, key.at, key.n), content, n);
	memcpy(out, &crc, SEAL);
	memcpy(out + SEAL, content, n);
	return SEAL + n;
}

int main(void)
{
	unsigned char content[50], record[60], key[5] = "abcd";
	struct bytes k = {key, 4}, got;
	test_numbers();
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = (unsigned char)test_random();
	for (size_t n = 0; n <= sizeof content; n++) {
		struct bytes r = {record, seal(k, content, n, record)};
		CHECK(sealed_check(TAG, k, r, &got) == 0);
		CHECK(got.n == n && got.at == record + SEAL);
		CHECK(sealed_check(TAG + 1, k, r, &got) == -EBADMSG);
		CHECK(sealed_check(TAG, (struct bytes){key, 3}, r, &got) ==
		      -EBADMSG);
		CHECK(sealed_check(TAG, (struct bytes){key, 5}, r, &got) ==
		      -EBADMSG);
		for (size_t bit = 0; bit < 8 * r.n; bit++) {
			record[bit / 8] ^= (unsigned char)(1 << bit % 8);
			CHECK(sealed_check(TAG, k, r, &got) == -EBADMSG);
			record[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		for (size_t cut = 0; cut < r.n; cut++)
			CHECK(sealed_check(TAG, k, (struct bytes){record, cut},
					   &got) == -EBADMSG);
		for (size_t bit = 0; bit < 8 * k.n; bit++) {
			key[bit / 8] ^= (unsigned char)(1 << bit % 8);
			CHECK(sealed_check(TAG, k, r, &got) == -EBADMSG);
			key[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
	}
	return 0;
}
