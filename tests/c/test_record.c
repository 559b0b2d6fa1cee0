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

static void test_steps(void)
{
	struct record r = {0};
	uint32_t begun;
	CHECK(!record_step(&r) && !record_cut(&r, &begun));
	record_steps(&r, 3);
	CHECK(record_step(&r) && record_step(&r));
	CHECK(record_cut(&r, &begun) && begun == 2);
	CHECK(!record_step(&r));
	CHECK(record_cut(&r, &begun) && begun == 2);
	record_steps(&r, 2);
	CHECK(record_step(&r) && record_step(&r) && !record_step(&r));
	CHECK(record_cut(&r, &begun) && begun == 2);
	record_end(&r);
	CHECK(!record_step(&r) && !record_cut(&r, &begun));
	/* Before the first one: none is begun. */
	record_steps(&r, 5);
	CHECK(record_cut(&r, &begun) && begun == 0 && !record_step(&r));
}

static void *step(void *of)
{
	struct record *r = of;
	uintptr_t n = 0;
	while (record_step(r))
		n++;
	return (void *)n;
}

/* Cut in the midst of it, those that have begun are those that were counted. */
static void test_cut(void)
{
	for (int i = 0; i < 200; i++) {
		static struct record r;
		pthread_t worker;
		uint32_t begun = 0;
		void *n;
		record_steps(&r, TURNS);
		CHECK(pthread_create(&worker, NULL, step, &r) == 0);
		if (i % 2)
			test_sleep(1e-6 * (double)test_below(100));
		CHECK(record_cut(&r, &begun));
		CHECK(pthread_join(worker, &n) == 0);
		CHECK((uintptr_t)n == begun);
	}
}

int main(void)
{
	test_steps();
	test_cut();
	test_one();
	test_stop();
	test_moment();
	return 0;
}
