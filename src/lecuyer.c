/* Stream k of a state is the state times the k-th power of a matrix, in two
 * halves with a modulus each. */
#include "lecuyer.h"

#include <stddef.h>
#include <string.h>

enum { SIDE = 3 };

typedef uint64_t matrix[SIDE][SIDE];

static const uint64_t modulus[2] = {4294967087u, 4294944443u};

/* One stream on. */
static const matrix step[2] = {
	{{2427906178u, 3580155704u, 949770784u},
	 {226153695u, 1230515664u, 3580155704u},
	 {1988835001u, 986791581u, 1230515664u}},
	{{1464411153u, 277697599u, 1610723613u},
	 {32183930u, 1464411153u, 1022607788u},
	 {2824425944u, 32183930u, 2093834863u}},
};

bool lecuyer_valid(const uint32_t s[LECUYER_WORDS])
{
	for (size_t half = 0; half < 2; half++) {
		const uint32_t *h = s + half * SIDE;
		if (h[0] == 0 && h[1] == 0 && h[2] == 0)
			return false;
		for (int i = 0; i < SIDE; i++)
			if (h[i] >= modulus[half])
				return false;
	}
	return true;
}

static uint64_t dot(const uint64_t row[SIDE], uint64_t a, uint64_t b,
		    uint64_t c, uint64_t m)
{
	/* Each product is below 2^64. */
	return (row[0] * a % m + row[1] * b % m + row[2] * c % m) % m;
}

static void apply(const matrix a, uint32_t h[SIDE], uint64_t m)
{
	uint32_t out[SIDE];
	for (int i = 0; i < SIDE; i++)
		out[i] = (uint32_t)dot(a[i], h[0], h[1], h[2], m);
	memcpy(h, out, sizeof(out));
}

static void square(matrix a, uint64_t m)
{
	matrix out;
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++)
			out[i][j] = dot(a[i], a[0][j], a[1][j], a[2][j], m);
	memcpy(a, out, sizeof(out));
}

void lecuyer_jump(uint32_t s[LECUYER_WORDS], uint64_t streams)
{
	for (size_t half = 0; half < 2; half++) {
		matrix power;
		memcpy(power, step[half], sizeof(power));
		for (uint64_t left = streams; left > 0; left >>= 1) {
			if (left & 1)
				apply((const uint64_t(*)[SIDE])power,
				      s + half * SIDE, modulus[half]);
			if (left > 1)
				square(power, modulus[half]);
		}
	}
}
