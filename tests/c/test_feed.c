/* Places for elements that come while a call runs: against a model, at random.
 */
#include "feed.h"

#include "test.h"

enum { ROOM = 7, SLOTS = 3, STEPS = 200000 };

enum state { FREE, READY, SOMEBODYS, OVER };

static size_t count(const enum state *state, enum state which)
{
	size_t n = 0;
	for (size_t i = 0; i < ROOM; i++)
		n += state[i] == which;
	return n;
}

static size_t find(const enum state *state, enum state which)
{
	size_t i = test_below(ROOM);
	while (state[i] != which)
		i = (i + 1) % ROOM;
	return i;
}

static enum state state[ROOM];
static uint64_t came[ROOM];
static size_t number[ROOM];
static size_t whose[ROOM];

/* The place that the slot is to get: of those that it may have, the one that
 * has waited longest. ROOM: there is none. */
static size_t next_for(size_t slot)
{
	size_t best = ROOM;
	for (size_t i = 0; i < ROOM; i++)
		if (state[i] == READY &&
		    (whose[i] == FEED_ANY || whose[i] == slot) &&
		    (best == ROOM || came[i] < came[best]))
			best = i;
	return best;
}

static void put(struct feed *f)
{
	static uint64_t clock;
	size_t place = ROOM;
	size_t slot = test_below(2) ? FEED_ANY : test_below(SLOTS);
	CHECK(feed_put(f, slot, &place) == (count(state, FREE) > 0));
	if (place == ROOM)
		return;
	CHECK(state[place] == FREE);
	state[place] = READY;
	whose[place] = slot;
	came[place] = ++clock;
	number[place] = f->came;
}

static void next(struct feed *f)
{
	size_t place = ROOM, slot = test_below(SLOTS);
	size_t expected = next_for(slot);
	CHECK(feed_more(f, slot) == (expected != ROOM));
	CHECK(feed_next(f, slot, &place) == (expected != ROOM));
	CHECK(place == expected);
	if (place != ROOM)
		state[place] = SOMEBODYS;
}

static void end(struct feed *f)
{
	if (count(state, SOMEBODYS) == 0)
		return;
	size_t place = find(state, SOMEBODYS);
	feed_end(f, place);
	state[place] = OVER;
}

static void withdraw(struct feed *f)
{
	size_t place = test_below(ROOM);
	CHECK(feed_withdraw(f, place) == (state[place] == READY));
	if (state[place] == READY)
		state[place] = SOMEBODYS;
}

static void take(struct feed *f)
{
	size_t place = ROOM;
	CHECK(feed_take(f, &place) == (count(state, OVER) > 0));
	if (place == ROOM)
		return;
	CHECK(state[place] == OVER);
	CHECK(f->number[place] == number[place]);
	state[place] = FREE;
}

static void test_model(void)
{
	static void (*const steps[])(struct feed *) = {put, put,  next,
						       end, take, withdraw};
	struct feed f;
	CHECK(feed_init(&f, ROOM) == 0);
	for (int step = 0; step < STEPS; step++) {
		steps[test_below(6)](&f);
		CHECK(f.frees == count(state, FREE));
		CHECK(f.readies == count(state, READY));
		CHECK(f.overs == count(state, OVER));
	}
	feed_release(&f);
}

static void test_no_memory(void)
{
	struct feed f;
	CHECK(feed_init(&f, SIZE_MAX / 2) == -ENOMEM);
	CHECK(feed_init(&f, 0) == -ENOMEM);
	feed_release(&f);
	feed_release(&f);
}

int main(void)
{
	test_model();
	test_no_memory();
	return 0;
}
