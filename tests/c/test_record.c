/* What a worker is at: its own word, read while it changes. */
#include "record.h"

#include <pthread.h>

#include "test.h"

enum { TURNS = 200000 };

static void test_one(void)
{
	struct record r = {0};
	size_t element;
	uint64_t since;
	CHECK(!record_running(&r, 0, &element, &since));
	CHECK(!record_running(&r, 1, &element, &since));
	record_begin(&r, 7, 0, 0);
	CHECK(record_running(&r, 7, &element, &since) && element == 0);
	CHECK(!record_running(&r, 8, &element, &since)); /* another call's */
	record_begin(&r, 7, 123456789012, 55);
	CHECK(record_running(&r, 7, &element, &since));
	CHECK(element == 123456789012 && since == 55);
	record_end(&r);
	CHECK(!record_running(&r, 7, &element, &since));
}

static void test_stop(void)
{
	struct record r = {0};
	CHECK(!record_stops(&r, 1));
	record_stop(&r, 3);
	CHECK(record_stops(&r, 3) && !record_stops(&r, 4) &&
	      !record_stops(&r, 2));
}

static void *run(void *of)
{
	struct record *r = of;
	for (uint64_t i = 1; i <= TURNS; i++)
		record_begin(r, 5, i, i);
	record_end(r);
	return NULL;
}

/* The moment is never that of an earlier element: nobody is charged with the
 * time of the one before. */
static void test_moment(void)
{
	static struct record r;
	pthread_t writer;
	size_t element;
	uint64_t since;
	record_begin(&r, 5, 0, 0);
	CHECK(pthread_create(&writer, NULL, run, &r) == 0);
	do {
		bool running = record_running(&r, 5, &element, &since);
		CHECK(!running || since >= element);
	} while (element < TURNS && atomic_load(&r.at) != 0);
	CHECK(pthread_join(writer, NULL) == 0);
}

int main(void)
{
	test_one();
	test_stop();
	test_moment();
	return 0;
}
