/*
 * A call with an open end: elements come, are claimed one by one, finish, are
 * lost, and their places used again; against a model, at random.
 */
#include "sched.h"

#include "test.h"

enum { ROOM = 9, SLOTS = 4, STEPS = 100000, NONE = ROOM };

static struct sched s;
static uint64_t id[ROOM]; /* of the element in a place; 0: free */
static bool over[ROOM];	  /* not taken yet */
static size_t at[SLOTS];  /* what a slot has claimed */
static uint64_t next_id, taken;
static size_t whose[ROOM]; /* the only slot that may claim it, or SCHED_ANY */
static bool again[ROOM];   /* was lost: out of order from then on */
static bool claimed[ROOM];

static void put(void)
{
	size_t place = NONE, used = 0;
	for (size_t i = 0; i < ROOM; i++)
		used += id[i] > 0;
	size_t slot = test_below(2) ? SCHED_ANY : test_below(SLOTS);
	CHECK(sched_put(&s, slot, &place) == (used < ROOM));
	if (place == NONE)
		return;
	CHECK(place < ROOM && id[place] == 0);
	CHECK(!sched_is_done(&s, place));
	id[place] = ++next_id;
	whose[place] = slot;
	again[place] = claimed[place] = false;
	CHECK(sched_is_bound(&s, place) == (slot != SCHED_ANY));
}

/* Does an earlier one wait that the slot might have had? */
static bool earlier(size_t slot, size_t place)
{
	for (size_t i = 0; i < ROOM; i++)
		if (id[i] > 0 && id[i] < id[place] && !claimed[i] && !over[i] &&
		    (whose[i] == SCHED_ANY || whose[i] == slot))
			return true;
	return false;
}

static void claim(size_t slot)
{
	size_t first = NONE, n = 0;
	bool more = sched_more(&s, slot);
	CHECK(sched_claim(&s, slot, &first, &n) == more);
	if (!more)
		return;
	CHECK(n == 1 && first < ROOM && id[first] > 0 && !over[first]);
	for (size_t i = 0; i < SLOTS; i++)
		CHECK(at[i] != first);
	/* In the order in which they came. */
	CHECK(again[first] || !earlier(slot, first));
	CHECK(whose[first] == SCHED_ANY || whose[first] == slot);
	claimed[first] = true;
	at[slot] = first;
}

static void end(size_t slot)
{
	size_t place = at[slot];
	bool given_up = false;
	at[slot] = NONE;
	/* What is bound is charged with every loss. */
	switch (whose[place] == SCHED_ANY ? test_below(4) : 1 + test_below(3)) {
	case 0: /* died, by nobody's fault */
		CHECK(sched_again(&s, slot, place, 1) == 0);
		again[place] = true;
		return;
	case 1: /* died of it: no second try, whatever was there before */
		CHECK(sched_blame(&s, place, 0, &given_up) == 0 && given_up);
		CHECK(sched_again(&s, slot, place, 1) == 0);
		break;
	default:
		sched_done(&s, slot, place, 1, 1000);
	}
	over[place] = true;
	CHECK(sched_is_done(&s, place));
}

static void withdraw(void)
{
	size_t place = test_below(ROOM);
	bool waits = id[place] > 0 && !claimed[place] && !over[place];
	CHECK(sched_withdraw(&s, place) == waits);
	if (!waits)
		return;
	CHECK(sched_is_done(&s, place));
	over[place] = true;
}

static void take(void)
{
	size_t place = NONE, overs = 0;
	for (size_t i = 0; i < ROOM; i++)
		overs += over[i];
	CHECK(s.feed.overs == overs);
	CHECK(sched_take(&s, &place) == (overs > 0));
	if (place == NONE)
		return;
	CHECK(over[place]);
	over[place] = false;
	id[place] = 0;
	taken++;
}

static void check_end(void)
{
	size_t unfinished = 0;
	for (size_t i = 0; i < ROOM; i++)
		unfinished += id[i] > 0 && !over[i];
	CHECK(s.left == unfinished);
	CHECK(sched_goes_on(&s) == (unfinished > 0));
}

int main(void)
{
	CHECK(sched_init(&s, ROOM, SLOTS) == 0);
	CHECK(sched_open(&s) == 0);
	CHECK(!sched_goes_on(&s));
	for (size_t i = 0; i < SLOTS; i++)
		at[i] = NONE;
	for (int step = 0; step < STEPS; step++) {
		size_t slot = test_below(SLOTS);
		if (test_below(3) == 0)
			put();
		else if (test_below(3) == 0)
			take();
		else if (test_below(9) == 0)
			withdraw();
		else if (at[slot] == NONE)
			claim(slot);
		else
			end(slot);
		check_end();
	}
	CHECK(next_id > STEPS / 10 && taken + ROOM >= next_id);
	sched_release(&s);
	return 0;
}
