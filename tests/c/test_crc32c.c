/* CRC-32C: RFC 3720's examples, and one at a time as well as all at once. */
#include "crc32c.h"

#include "test.h"

int main(void)
{
	unsigned char b[300];
	CHECK(crc32c(0, NULL, 0) == 0);
	CHECK(crc32c(0, "123456789", 9) == 0xe3069283);
	memset(b, 0, 32);
	CHECK(crc32c(0, b, 32) == 0x8a9136aa);
	memset(b, 0xff, 32);
	CHECK(crc32c(0, b, 32) == 0x62a8ab43);
	for (size_t i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	CHECK(crc32c(0, b, 32) == 0x46dd794e);
	for (size_t i = 0; i < 32; i++)
		b[i] = (unsigned char)(31 - i);
	CHECK(crc32c(0, b, 32) == 0x113fdb5c);
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)test_random();
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n + from < sizeof b; n += 7) {
			uint32_t all = crc32c(0, b + from, n);
			uint32_t one = 0;
			for (size_t i = 0; i < n; i++)
				one = crc32c(one, b + from + i, 1);
			CHECK(one == all);
			size_t half = test_below(n + 1);
			CHECK(crc32c(crc32c(0, b + from, half), b + from + half,
				     n - half) == all);
		}
	return 0;
}
