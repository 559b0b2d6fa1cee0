/* Streams of MRG32k3a, against numbers that R's own parallel::nextRNGStream()
 * gives. */
#include "lecuyer.h"

#include <string.h>

#include "test.h"

/* set.seed(1, "L'Ecuyer-CMRG"), as unsigned numbers, and 1, 2, 1000 and
 * 65536 streams on. */
static const uint32_t first[LECUYER_WORDS] = {1280795612u, 4125696813u,
					      3852956682u, 3691408899u,
					      4072619880u, 1489374793u};
static const struct {
	uint64_t streams;
	uint32_t state[LECUYER_WORDS];
} known[] = {
	{1,
	 {4246464u, 4063011236u, 3823334500u, 1620595781u, 533443421u,
	  594164961u}},
	{2,
	 {317200966u, 4111358687u, 3963491408u, 4008664794u, 3440239341u,
	  3686943199u}},
	{1000,
	 {3589678546u, 3961955548u, 1990091638u, 2558731499u, 993743571u,
	  95546049u}},
	{65536,
	 {2771022528u, 1382630004u, 4233754187u, 1562989631u, 3407876691u,
	  3812871974u}},
};

static void test_known(void)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		uint32_t s[LECUYER_WORDS];
		memcpy(s, first, sizeof(s));
		lecuyer_jump(s, known[i].streams);
		CHECK(memcmp(s, known[i].state, sizeof(s)) == 0);
		CHECK(lecuyer_valid(s));
	}
}

static void test_sums(void)
{
	uint32_t a[LECUYER_WORDS], b[LECUYER_WORDS];
	memcpy(a, first, sizeof(a));
	memcpy(b, first, sizeof(b));
	lecuyer_jump(a, 0);
	CHECK(memcmp(a, first, sizeof(a)) == 0);
	lecuyer_jump(a, (UINT64_C(1) << 40) + 17);
	lecuyer_jump(b, UINT64_C(1) << 40);
	for (int i = 0; i < 17; i++)
		lecuyer_jump(b, 1);
	CHECK(memcmp(a, b, sizeof(a)) == 0);
}

static void test_valid(void)
{
	uint32_t s[LECUYER_WORDS];
	CHECK(lecuyer_valid(first));
	memset(s, 0, sizeof(s));
	CHECK(!lecuyer_valid(s));
	s[2] = 1;
	CHECK(!lecuyer_valid(s)); /* the other half is 0 */
	s[4] = 4294944443u;
	CHECK(!lecuyer_valid(s)); /* too large */
	s[4]--;
	CHECK(lecuyer_valid(s));
	s[0] = 4294967087u;
	CHECK(!lecuyer_valid(s));
}

int main(void)
{
	test_known();
	test_sums();
	test_valid();
	return 0;
}
