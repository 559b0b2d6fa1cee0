/*
 * What is claimed, done and lost: simulated calls with many numbers of elements
 * and slots, times and deaths, from one seed.
 */
#include "sched.h"

#include "test.h"

enum { SLOTS = 64, RETRIES = 2 };

/* A simulated call: who has claimed what. */
struct run {
	struct sched s;
	size_t n, slots;
	unsigned char *claims; /* of an element, those lost not counted */
	unsigned char *alone;  /* how often it was lost alone */
	bool *over;	       /* done or given up */
	size_t first[SLOTS], count[SLOTS];
};

static void run_start(struct run *r, size_t n, size_t slots)
{
	*r = (struct run){.n = n, .slots = slots};
	CHECK(sched_init(&r->s, n, slots) == 0);
	r->claims = calloc(n + 1, 1);
	r->alone = calloc(n + 1, 1);
	r->over = calloc(n + 1, sizeof(bool));
	CHECK(r->claims && r->alone && r->over);
}

static void run_end(struct run *r)
{
	CHECK(r->s.left == 0);
	for (size_t i = 0; i < r->n; i++)
		CHECK(r->over[i]);
	for (size_t i = 0; i < r->slots; i++)
		CHECK(r->count[i] == 0 && !sched_more(&r->s, i));
	sched_release(&r->s);
	free(r->claims);
	free(r->alone);
	free(r->over);
}

/* An idle slot asks; what it gets nobody else has. */
static bool ask(struct run *r, size_t slot)
{
	size_t first = 0, count = 0;
	bool more = sched_more(&r->s, slot);
	bool got = sched_claim(&r->s, slot, &first, &count);
	CHECK(more == got);
	if (!got)
		return false;
	CHECK(count > 0 && first < r->n && count <= r->n - first);
	for (size_t i = first; i < first + count; i++) {
		CHECK(!r->over[i]);
		CHECK(r->claims[i]++ == 0);
	}
	r->first[slot] = first;
	r->count[slot] = count;
	return true;
}

static void finish(struct run *r, size_t slot, uint64_t ns)
{
	size_t left = r->s.left;
	sched_done(&r->s, slot, r->first[slot], r->count[slot], ns);
	CHECK(r->s.left == left - r->count[slot]);
	for (size_t i = 0; i < r->count[slot]; i++)
		r->over[r->first[slot] + i] = true;
	r->count[slot] = 0;
}

/* A worker died with a claim: if it was of one element, by its fault. */
static int lose_claim(struct sched *s, size_t slot, size_t first, size_t count,
		      unsigned retries, bool *given_up)
{
	*given_up = false;
	if (count == 1)
		CHECK(sched_blame(s, first, retries, given_up) == 0);
	return sched_again(s, slot, first, count);
}

static void lose(struct run *r, size_t slot)
{
	size_t first = r->first[slot], count = r->count[slot];
	size_t left = r->s.left;
	bool given_up;
	CHECK(lose_claim(&r->s, slot, first, count, RETRIES, &given_up) == 0);
	for (size_t i = first; i < first + count; i++)
		r->claims[i] = 0;
	if (count == 1) {
		bool last = r->alone[first]++ == RETRIES;
		CHECK(given_up == last);
		r->over[first] = last;
	} else {
		CHECK(!given_up);
	}
	CHECK(r->s.left == left - given_up);
	r->count[slot] = 0;
}

/* Lost through nobody's fault. */
static void give_back(struct run *r, size_t slot)
{
	size_t first = r->first[slot], count = r->count[slot];
	size_t left = r->s.left;
	CHECK(sched_again(&r->s, slot, first, count) == 0);
	CHECK(r->s.left == left);
	for (size_t i = first; i < first + count; i++)
		r->claims[i] = 0;
	r->count[slot] = 0;
}

/* Slots ask and finish in any order; of 100 ranges, that many are lost. */
static void simulate(struct run *r, size_t losses, uint64_t most_ns)
{
	size_t idle = 0;
	while (idle < 20 * r->slots) {
		size_t slot = test_below(r->slots);
		idle++;
		if (r->count[slot] == 0) {
			if (ask(r, slot))
				idle = 0;
		} else if (test_below(100) < losses) {
			if (test_below(3) > 0)
				lose(r, slot);
			else
				give_back(r, slot);
			idle = 0;
		} else {
			finish(r, slot, most_ns ? test_random() % most_ns : 0);
			idle = 0;
		}
	}
	/* What was left over by chance. */
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < r->slots; i++) {
			if (r->count[i] > 0)
				finish(r, i, 1);
			again |= ask(r, i);
		}
	}
}

static const size_t sizes[] = {0, 1, 2, 3, 7, 63, 64, 65, 500, 10007};
static const size_t many_slots[] = {1, 2, 3, 10, SLOTS};

static void dynamic(void)
{
	static const uint64_t times[] = {0, 1, 1000, 1000000, 10000000000u};
	static const size_t losses[] = {0, 10, 60};
	for (size_t a = 0; a < sizeof(sizes) / sizeof(*sizes); a++)
		for (size_t b = 0; b < 5; b++)
			for (size_t c = 0; c < 5; c++)
				for (size_t d = 0; d < 3; d++) {
					struct run r;
					run_start(&r, sizes[a], many_slots[b]);
					simulate(&r, losses[d], times[c]);
					run_end(&r);
				}
}

/* A claim is enough work for its time, a step larger than the last at most,
 * and a share of what is left. */
static void claim_sizes(void)
{
	size_t first, count, last = 0, most = 0;
	struct sched s;
	CHECK(sched_init(&s, 1000000, 2) == 0);
	while (sched_claim(&s, 0, &first, &count)) {
		size_t left = s.n - first;
		CHECK(last == 0 ? count == 1 : count <= last * 16);
		CHECK(count <= (left / 4 ? left / 4 : 1));
		CHECK(count <= 2000000 / 100); /* elements of 100 ns */
		most = count > most ? count : most;
		last = count;
		sched_done(&s, 0, first, count, 100 * count);
	}
	CHECK(most == 20000 && s.left == 0);
	sched_release(&s);
	/* Slow elements go one by one, by whomever they were found slow. */
	CHECK(sched_init(&s, 100, 2) == 0);
	for (size_t i = 0; i < 100; i++) {
		CHECK(sched_claim(&s, i % 2, &first, &count));
		CHECK(first == i && count == 1);
		sched_done(&s, i % 2, first, count, 3000000);
	}
	CHECK(!sched_claim(&s, 0, &first, &count));
	sched_release(&s);
	/* One that was quick by chance proves little. */
	CHECK(sched_init(&s, 100000, 1) == 0);
	CHECK(sched_claim(&s, 0, &first, &count) && count == 1);
	sched_done(&s, 0, first, count, 1);
	CHECK(sched_claim(&s, 0, &first, &count) && count == 16);
	sched_done(&s, 0, first, count, 16 * (uint64_t)1000000);
	CHECK(sched_claim(&s, 0, &first, &count) && count == 2);
	sched_release(&s);
}

/* Chunks go to their slot, in order, those without elements to nobody. */
static void fixed(void)
{
	for (size_t a = 0; a < sizeof(sizes) / sizeof(*sizes); a++)
		for (size_t b = 0; b < 5; b++)
			for (int c = 0; c < 20; c++) {
				size_t n = sizes[a], slots = many_slots[b];
				size_t chunks = 1 + test_below(2 * n + 3);
				size_t *starts =
					calloc(chunks + 1, sizeof(*starts));
				CHECK(starts);
				starts[chunks] = n;
				for (size_t k = 1; k < chunks; k++) {
					size_t most = n - starts[k - 1];
					most = test_below(2) ? most / 8 : 2;
					size_t to = starts[k - 1] +
						    test_below(most + 1);
					starts[k] = to > n ? n : to;
				}
				struct run r;
				run_start(&r, n, slots);
				CHECK(sched_fix(&r.s, starts, chunks) == 0);
				size_t next[SLOTS];
				for (size_t i = 0; i < slots; i++)
					next[i] = i;
				for (size_t none = 0; none < slots;) {
					size_t i = test_below(slots);
					if (r.count[i] > 0)
						finish(&r, i, 1);
					while (next[i] < chunks &&
					       starts[next[i]] ==
						       starts[next[i] + 1])
						next[i] += slots;
					bool got = ask(&r, i);
					CHECK(got == (next[i] < chunks));
					if (got) {
						size_t k = next[i];
						CHECK(r.first[i] == starts[k]);
						CHECK(r.count[i] ==
						      starts[k + 1] -
							      starts[k]);
						next[i] += slots;
					}
					for (none = 0; none < slots; none++)
						if (next[none] < chunks ||
						    r.count[none] > 0)
							break;
				}
				run_end(&r);
				free(starts);
			}
}

static void fixed_and_lost(void)
{
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + test_below(200), slots = 1 + test_below(5);
		struct run r;
		run_start(&r, n, slots);
		size_t starts[201];
		size_t chunks = 0;
		for (size_t at = 0; at < n; at += 1 + test_below(9))
			starts[chunks++] = at;
		starts[chunks] = n;
		CHECK(sched_fix(&r.s, starts, chunks) == 0);
		simulate(&r, 30, 1000);
		run_end(&r);
	}
	/* Elements of a lost chunk stay with its slot. */
	struct sched s;
	static const size_t two[] = {0, 3, 6};
	size_t first, count;
	bool given_up;
	CHECK(sched_init(&s, 6, 2) == 0 && sched_fix(&s, two, 2) == 0);
	CHECK(sched_claim(&s, 1, &first, &count) && first == 3 && count == 3);
	CHECK(lose_claim(&s, 1, 3, 3, RETRIES, &given_up) == 0 && !given_up);
	CHECK(sched_claim(&s, 0, &first, &count) && first == 0 && count == 3);
	CHECK(!sched_more(&s, 0) && !sched_claim(&s, 0, &first, &count));
	for (size_t i = 3; i < 6; i++) {
		CHECK(sched_more(&s, 1));
		CHECK(sched_claim(&s, 1, &first, &count));
		CHECK(first == i && count == 1);
	}
	sched_release(&s);
}

/* The innocents of a range are run again alone, first first, free of charge. */
static void lost(void)
{
	struct sched s;
	size_t first, count;
	bool given_up;
	CHECK(sched_init(&s, 40, 1) == 0);
	CHECK(sched_claim(&s, 0, &first, &count) && count == 1);
	sched_done(&s, 0, first, 1, 1);
	CHECK(sched_claim(&s, 0, &first, &count) && count == 16 && first == 1);
	for (int i = 0; i < 10; i++) { /* a range is no try, however often */
		CHECK(lose_claim(&s, 0, 1, 16, RETRIES, &given_up) == 0);
		CHECK(!given_up && s.left == 39);
		for (size_t k = 1; i < 9 && k < 17; k++) {
			CHECK(sched_claim(&s, 0, &first, &count));
			CHECK(first == k && count == 1);
		}
	}
	sched_done(&s, 0, 1, 1, 1); /* a late result */
	sched_done(&s, 0, 1, 1, 1);
	CHECK(s.left == 38);		  /* counts once */
	for (size_t k = 2; k < 17; k++) { /* and is not run once more */
		CHECK(sched_claim(&s, 0, &first, &count));
		CHECK(first == k && count == 1);
		sched_done(&s, 0, first, 1, 1);
	}
	/* What is done already does not come back. */
	CHECK(sched_claim(&s, 0, &first, &count) && first == 17 && count > 3);
	sched_done(&s, 0, 18, 1, 1);
	CHECK(lose_claim(&s, 0, first, 3, RETRIES, &given_up) == 0);
	CHECK(sched_claim(&s, 0, &first, &count) && first == 17);
	CHECK(sched_claim(&s, 0, &first, &count) && first == 19);
	/* Alone, it has its tries: one, and RETRIES more. */
	size_t left = s.left;
	for (int i = 0; i < RETRIES; i++) {
		CHECK(lose_claim(&s, 0, 17, 1, RETRIES, &given_up) == 0);
		CHECK(!given_up && s.left == left);
		CHECK(sched_claim(&s, 0, &first, &count) && first == 17);
	}
	for (int i = 0; i < 5; i++) { /* which this is none of */
		CHECK(sched_again(&s, 0, 17, 1) == 0 && s.left == left);
		CHECK(sched_claim(&s, 0, &first, &count) && first == 17);
	}
	CHECK(sched_again(&s, 0, 0, 0) == 0); /* of no claim */
	CHECK(lose_claim(&s, 0, 17, 1, RETRIES, &given_up) == 0);
	CHECK(given_up && s.left == left - 1);
	CHECK(sched_claim(&s, 0, &first, &count) && first != 17);
	CHECK(lose_claim(&s, 0, 19, 1, 0, &given_up) == 0 && given_up);
	sched_release(&s);
}

static void stopped(void)
{
	static const size_t starts[] = {0, 2, 4, 6, 8};
	for (int fixed = 0; fixed < 2; fixed++) {
		struct sched s;
		size_t first, count;
		bool given_up;
		CHECK(sched_init(&s, 8, 2) == 0);
		CHECK(!fixed || sched_fix(&s, starts, 4) == 0);
		CHECK(sched_claim(&s, 0, &first, &count));
		size_t f = first, k = count;
		CHECK(sched_claim(&s, 1, &first, &count));
		CHECK(lose_claim(&s, 1, first, count, 9, &given_up) == 0);
		CHECK(sched_more(&s, 0) && sched_more(&s, 1));
		sched_stop(&s);
		for (size_t i = 0; i < 2; i++) {
			CHECK(!sched_more(&s, i));
			CHECK(!sched_claim(&s, i, &first, &count));
		}
		CHECK(sched_goes_on(&s)); /* there is still a claim */
		sched_done(&s, 0, f, k, 1);
		CHECK(s.left == 8 - k && !sched_goes_on(&s));
		sched_release(&s);
	}
}

/* Several claims lost together: from then on one at a time, until there is
 * nothing left to be run alone. */
static void singly(void)
{
	struct sched s;
	size_t first[4], count[4], f, c;
	bool given_up;
	CHECK(sched_init(&s, 10, 4) == 0);
	for (size_t i = 0; i < 3; i++)
		CHECK(sched_claim(&s, i, &first[i], &count[i]));
	CHECK(s.claims == 3);
	sched_singly(&s);
	for (size_t i = 0; i < 3; i++)
		CHECK(sched_again(&s, i, first[i], count[i]) == 0);
	CHECK(s.claims == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(sched_more(&s, 1));
		CHECK(sched_claim(&s, 1, &f, &c) && f < 3 && c == 1);
		CHECK(!sched_claim(&s, 0, &first[0], &count[0]));
		if (f != 1) {
			sched_done(&s, 1, f, c, 1);
			continue;
		}
		/* The one at fault: it alone is charged. */
		CHECK(lose_claim(&s, 1, f, c, 0, &given_up) == 0 && given_up);
	}
	for (size_t i = 0; i < 4; i++)
		CHECK(sched_claim(&s, i, &first[i], &count[i]));
	CHECK(s.claims == 4 && s.left == 7);
	sched_release(&s);
}

/* A try is the running element's, wherever it is in a range; how many there may
 * be is the caller's choice. */
static void blamed(void)
{
	struct sched s;
	bool given_up;
	size_t first, count;
	CHECK(sched_init(&s, 40, 1) == 0);
	CHECK(sched_claim(&s, 0, &first, &count));
	sched_done(&s, 0, first, count, 1);
	CHECK(sched_claim(&s, 0, &first, &count) && count > 3);
	for (unsigned i = 0; i < 300; i++) { /* more than a byte counts */
		CHECK(sched_blame(&s, first + 2, 300, &given_up) == 0);
		CHECK(!given_up && !sched_is_done(&s, first + 2));
	}
	CHECK(sched_blame(&s, first + 2, 300, &given_up) == 0 && given_up);
	CHECK(sched_is_done(&s, first + 2));
	CHECK(sched_again(&s, 0, first, count) == 0);
	size_t f, c;
	for (size_t i = first; i < first + count; i++) {
		if (i == first + 2)
			continue; /* over, without a result */
		CHECK(sched_claim(&s, 0, &f, &c) && f == i && c == 1);
		sched_done(&s, 0, f, c, 1);
	}
	CHECK(sched_blame(&s, 39, 0, &given_up) == 0 && given_up);
	sched_release(&s);
}

/* One element at a time, where it has to be seen from outside what runs. */
static void singles(void)
{
	static const size_t starts[] = {0, 3, 3, 4, 8};
	for (int fixed = 0; fixed < 2; fixed++) {
		struct sched s;
		size_t first, count, seen = 0;
		CHECK(sched_init(&s, 8, 2) == 0);
		CHECK(!fixed || sched_fix(&s, starts, 4) == 0);
		s.single = true;
		while (seen < 8) {
			size_t before = seen;
			for (size_t slot = 0; slot < 2; slot++) {
				if (!sched_claim(&s, slot, &first, &count))
					continue;
				CHECK(count == 1);
				/* Chunks 0 and 2 are slot 0's. */
				CHECK(!fixed || slot == (first >= 4));
				CHECK(!sched_is_done(&s, first));
				sched_done(&s, slot, first, 1, 1);
				seen++;
			}
			CHECK(seen > before);
		}
		CHECK(s.left == 0 && !sched_more(&s, 0) && !sched_more(&s, 1));
		sched_release(&s);
	}
}

/* ---- staged ---- */

static void claim_is(struct sched *s, size_t slot, size_t first, size_t count)
{
	size_t f, c;
	CHECK(sched_more(s, slot));
	CHECK(sched_claim(s, slot, &f, &c) && f == first && c == count);
}

static void claim_none(struct sched *s, size_t slots)
{
	size_t f, c;
	for (size_t i = 0; i < slots; i++)
		CHECK(!sched_more(s, i) && !sched_claim(s, i, &f, &c));
}

/* All elements, and all of them claimed and done, in any order: nothing is left
 * to hand out. */
static void staged_all(void)
{
	struct sched s;
	CHECK(sched_init(&s, 100, 3) == 0);
	sched_stage(&s, 100);
	claim_none(&s, 3);
	sched_join(&s);
	sched_join(&s);
	CHECK(s.claims == 2 && s.left == 100);
	sched_finish(&s, 40, 60);
	sched_finish(&s, 10, 30);
	CHECK(s.left == 10 && s.claims == 2);
	sched_finish(&s, 10, 0);
	sched_finish(&s, 20, 30); /* once more: counts once */
	CHECK(s.left == 10);
	sched_leave(&s);
	sched_finish(&s, 0, 10);
	sched_leave(&s);
	CHECK(s.left == 0 && s.claims == 0);
	claim_none(&s, 3);
	CHECK(sched_unstage(&s, 100) == 0 && s.staged == 0);
	claim_none(&s, 3);
	sched_release(&s);
	/* Of none. */
	CHECK(sched_init(&s, 0, 1) == 0);
	sched_stage(&s, 0);
	CHECK(sched_unstage(&s, 0) == 0 && s.left == 0);
	claim_none(&s, 1);
	sched_release(&s);
}

/* At the end: what was claimed and is not done runs again, each alone, first
 * first; and is charged only from then on. */
static void staged_and_lost(void)
{
	struct sched s;
	bool given_up;
	CHECK(sched_init(&s, 130, 2) == 0);
	sched_stage(&s, 130);
	sched_join(&s);
	sched_join(&s);
	sched_finish(&s, 0, 5);
	sched_finish(&s, 8, 56); /* the others were lost */
	sched_finish(&s, 66, 63);
	sched_leave(&s);
	sched_leave(&s);
	claim_none(&s, 2);
	CHECK(sched_unstage(&s, 130) == 0 && s.left == 6);
	static const size_t left[] = {5, 6, 7, 64, 65, 129};
	for (size_t i = 0; i < 6; i++)
		claim_is(&s, i % 2, left[i], 1);
	claim_none(&s, 2);
	for (unsigned i = 0; i < RETRIES; i++) {
		CHECK(lose_claim(&s, 0, 64, 1, RETRIES, &given_up) == 0);
		CHECK(!given_up);
		claim_is(&s, 0, 64, 1);
	}
	CHECK(lose_claim(&s, 0, 64, 1, RETRIES, &given_up) == 0 && given_up);
	for (size_t i = 0; i < 6; i++)
		if (i != 3)
			sched_done(&s, i % 2, left[i], 1, 1);
	CHECK(s.left == 0 && s.claims == 0);
	claim_none(&s, 2);
	sched_release(&s);
}

/* In the middle: what nobody claimed is handed out as ever, after what was
 * lost. */
static void staged_in_part(void)
{
	for (size_t staged = 60; staged <= 100; staged += 40) {
		struct sched s;
		size_t first, count;
		CHECK(sched_init(&s, 100, 1) == 0);
		sched_stage(&s, staged);
		sched_join(&s);
		sched_finish(&s, 0, 10);
		sched_finish(&s, 12, 28); /* 40 was claimed, too */
		sched_leave(&s);
		CHECK(sched_more(&s, 0) == (staged < 100));
		CHECK(sched_unstage(&s, 41) == 0 && s.left == 62);
		claim_is(&s, 0, 10, 1);
		claim_is(&s, 0, 11, 1);
		claim_is(&s, 0, 40, 1);
		claim_is(&s, 0, 41, 1);
		sched_done(&s, 0, 41, 1, 1);
		for (size_t at = 42; at < 100; at += count) {
			CHECK(sched_claim(&s, 0, &first, &count));
			CHECK(first == at);
			sched_done(&s, 0, first, count, count);
		}
		claim_none(&s, 1);
		CHECK(s.left == 3);
		sched_release(&s);
	}
	/* Nobody came. */
	struct sched s;
	CHECK(sched_init(&s, 100, 1) == 0);
	sched_stage(&s, 100);
	claim_none(&s, 1);
	CHECK(sched_unstage(&s, 0) == 0 && s.left == 100 && s.alones == 0);
	claim_is(&s, 0, 0, 1);
	sched_release(&s);
}

/* Elements behind them go to the slots that did not join, at once; then the
 * staged ones that nobody claimed are behind, and run alone. */
static void staged_and_the_rest(void)
{
	struct sched s;
	size_t first, count;
	CHECK(sched_init(&s, 100, 2) == 0);
	sched_stage(&s, 10);
	sched_join(&s);
	claim_is(&s, 1, 10, 1);
	sched_finish(&s, 0, 4);
	sched_done(&s, 1, 10, 1, 1);
	CHECK(s.left == 95 && s.claims == 1);
	claim_is(&s, 1, 11, 16);
	sched_leave(&s);
	CHECK(sched_unstage(&s, 7) == 0);
	for (size_t i = 4; i < 10; i++)
		claim_is(&s, 0, i, 1);
	sched_done(&s, 1, 11, 16, 16);
	CHECK(s.claims == 6);
	CHECK(sched_claim(&s, 1, &first, &count) && first == 27);
	sched_release(&s);
}

/* Who has joined is at work: of those that run alone there is one at a time
 * when all have left. */
static void staged_and_singly(void)
{
	struct sched s;
	size_t first, count;
	CHECK(sched_init(&s, 20, 2) == 0);
	sched_stage(&s, 4);
	sched_join(&s);
	claim_is(&s, 0, 4, 1);
	sched_singly(&s);
	CHECK(sched_again(&s, 0, 4, 1) == 0);
	CHECK(!sched_claim(&s, 0, &first, &count));
	sched_finish(&s, 0, 2);
	sched_leave(&s);
	CHECK(sched_unstage(&s, 4) == 0);
	for (size_t i = 2; i < 5; i++) {
		claim_is(&s, 1, i, 1);
		CHECK(!sched_claim(&s, 0, &first, &count));
		sched_done(&s, 1, i, 1, 1);
	}
	claim_is(&s, 0, 5, 1);
	claim_is(&s, 1, 6, 1);
	sched_release(&s);
}

/* Calls with a staged part that is claimed to somewhere, some of it done or
 * lost in any order, while the rest goes to the others. */
static void staged_by_chance(void)
{
	for (int round = 0; round < 3000; round++) {
		size_t n = sizes[test_below(9)], slots = 1 + test_below(5);
		size_t staged = test_below(3) ? test_below(n + 1) : n;
		size_t claimed =
			test_below(3) ? test_below(staged + 1) : staged;
		size_t loss = test_below(3) * 20;
		struct run r;
		run_start(&r, n, slots);
		sched_stage(&r.s, staged);
		sched_join(&r.s);
		for (size_t at = claimed; at > 0;) {
			size_t k = 1 + test_below(at), left = r.s.left;
			at -= k;
			if (test_below(100) < loss)
				continue;
			sched_finish(&r.s, at, k);
			CHECK(r.s.left == left - k);
			for (size_t i = at; i < at + k; i++)
				r.over[i] = true;
		}
		bool others = test_below(2);
		for (size_t i = 0; others && i < 20; i++) {
			size_t slot = test_below(slots);
			if (r.count[slot] > 0)
				finish(&r, slot, test_below(1000));
			else if (ask(&r, slot))
				CHECK(r.first[slot] >= staged);
		}
		bool began = r.s.cursor > staged;
		sched_leave(&r.s);
		CHECK(sched_unstage(&r.s, claimed) == 0);
		CHECK(r.s.staged == 0);
		CHECK(began || r.s.cursor == claimed);
		size_t undone = 0;
		for (size_t i = 0; i < (began ? staged : claimed); i++)
			undone += !r.over[i];
		CHECK(r.s.alones == undone);
		simulate(&r, loss, 1000);
		run_end(&r);
	}
}

int main(void)
{
	blamed();
	singles();
	dynamic();
	claim_sizes();
	fixed();
	fixed_and_lost();
	lost();
	stopped();
	singly();
	staged_all();
	staged_and_lost();
	staged_in_part();
	staged_and_the_rest();
	staged_and_singly();
	staged_by_chance();
	return 0;
}
