/* When the elements of a claim ran: rows, and quick ones that share one. */
#include "lap.h"

#include <string.h>

#include "test.h"

static struct lap row(const struct laps *l, size_t i)
{
	struct lap x;
	memcpy(&x, l->rows.bytes + i * sizeof(x), sizeof(x));
	return x;
}

static size_t rows(const struct laps *l)
{
	return l->rows.len / sizeof(struct lap);
}

static void run(struct laps *l, uint64_t element, uint64_t from, uint64_t to,
		bool failed)
{
	lap_begin(l, element, from);
	lap_end(l, to, failed);
}

static void test_slow(void)
{
	struct laps l = {0};
	lap_open(&l, true);
	run(&l, 10, 1000, 1000 + LAP_QUICK, false);
	run(&l, 11, 2000000, 2000001, false);
	CHECK(rows(&l) == 2);
	CHECK(row(&l, 0).begin == 1000 && row(&l, 0).end == 1000 + LAP_QUICK);
	CHECK(row(&l, 0).first == 10 && row(&l, 0).count == 1);
	CHECK(row(&l, 1).first == 11 && row(&l, 1).failed == 0);
	buf_release(&l.rows);
}

static void test_quick(void)
{
	struct laps l = {0};
	lap_open(&l, true);
	for (uint64_t i = 0; i < 100; i++)
		run(&l, i, 1000 + i * 50, 1000 + i * 50 + 40, false);
	CHECK(rows(&l) == 1);
	CHECK(row(&l, 0).count == 100 && row(&l, 0).begin == 1000 &&
	      row(&l, 0).end == 1000 + 99 * 50 + 40);
	/* A pause, a failure and a slow one end it. */
	run(&l, 100, 10000000, 10000010, false);
	run(&l, 101, 10000010, 10000020, true);
	run(&l, 102, 10000020, 10000030, false);
	run(&l, 103, 10000030, 10000030 + LAP_QUICK, false);
	run(&l, 104, 10000030 + LAP_QUICK, 10000031 + LAP_QUICK, false);
	CHECK(rows(&l) == 6);
	CHECK(row(&l, 2).failed == 1 && row(&l, 2).count == 1);
	CHECK(row(&l, 3).count == 1 && row(&l, 4).count == 1);
	buf_release(&l.rows);
}

/* A row of many is no longer than it may be, and follows in order. */
static void test_longest(void)
{
	struct laps l = {0};
	uint64_t step = LAP_QUICK / 2, next = 0;
	lap_open(&l, true);
	for (uint64_t i = 0; i < 2000; i++)
		run(&l, i, i * step, (i + 1) * step, false);
	CHECK(rows(&l) > 5);
	for (size_t i = 0; i < rows(&l); i++) {
		CHECK(row(&l, i).end - row(&l, i).begin <= LAP_LONGEST);
		CHECK(row(&l, i).first == next);
		next += row(&l, i).count;
	}
	CHECK(next == 2000);
	buf_release(&l.rows);
}

/* One that was cut short has no row, nor has what came before the claim. */
static void test_open(void)
{
	struct laps l = {0};
	lap_end(&l, 5, false);
	lap_open(&l, false);
	CHECK(!l.on && l.rows.len == 0);
	lap_open(&l, true);
	run(&l, 0, 1, 2, false);
	lap_begin(&l, 1, 3);
	lap_open(&l, true);
	lap_end(&l, 4, false);
	CHECK(l.on && l.rows.len == 0);
	run(&l, 1, 5, 6, false); /* nothing to join */
	CHECK(rows(&l) == 1 && row(&l, 0).first == 1);
	buf_release(&l.rows);
}

static void test_fits(void)
{
	struct lap x = {.begin = 1, .end = 2, .first = 5, .count = 3};
	CHECK(lap_fits(&x, 5, 3) && lap_fits(&x, 0, 8));
	CHECK(!lap_fits(&x, 0, 7) && !lap_fits(&x, 6, 10));
	x.count = 0;
	CHECK(!lap_fits(&x, 0, 8));
	x.count = UINT64_MAX;
	CHECK(!lap_fits(&x, 0, 8));
	x = (struct lap){.begin = 2, .end = 1, .first = 5, .count = 1};
	CHECK(!lap_fits(&x, 0, 8));
	x = (struct lap){.begin = 1, .end = 2, .count = 1, .failed = 2};
	CHECK(!lap_fits(&x, 0, 8));
}

int main(void)
{
	test_slow();
	test_quick();
	test_longest();
	test_open();
	test_fits();
	return 0;
}
