/*
 * Claims from a shared counter: nothing twice, nothing left out, by processes
 * that race and die; calls that are told apart, and the sizes of claims.
 */
#include "cursor.h"

#include <sys/mman.h>

#include "test.h"

enum { MOST = 300000, PEERS = 6 };

/* What the processes of a test share. */
struct common {
	struct cursor_state state;
	_Atomic int ready;
	_Atomic unsigned char claims[MOST];
};

static struct common *new_common(void)
{
	struct common *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(c != MAP_FAILED);
	return c;
}

static struct cursor cursor_of(struct cursor_state *s, uint32_t call, size_t n,
			       size_t sharers)
{
	return (struct cursor){
		.state = s, .call = call, .n = n, .sharers = sharers};
}

/* Ends at random places, some close together; n is the last one. */
static uint64_t *new_ends(size_t n)
{
	uint64_t *ends = malloc((n + 1) * sizeof(*ends));
	CHECK(ends);
	size_t k = 0;
	for (size_t at = 0; at < n; k++) {
		at += 1 + (test_below(2) ? test_below(5) : test_below(n));
		ends[k] = at < n ? at : n;
	}
	return ends;
}

/* Is there an end within the range? */
static bool crosses(const uint64_t *ends, size_t first, size_t count)
{
	size_t k = 0;
	while (ends[k] <= first)
		k++;
	return first + count > ends[k];
}

/* ---- one process ---- */

/* In order, to the end, and not past an end. */
static void ends(void)
{
	static const size_t sizes[] = {1, 2, 3, 64, 1000, 20000};
	for (size_t i = 0; i < 60; i++) {
		struct cursor_state s = {0};
		size_t n = sizes[i % 6], at = 0, first, count;
		uint64_t *to = new_ends(n);
		struct cursor c = cursor_of(&s, 7, n, 1 + i % 4);
		cursor_open(&s, 7);
		while (cursor_claim(&c, to, &first, &count)) {
			CHECK(first == at && count > 0 && count <= n - at);
			CHECK(!crosses(to, first, count) && c.size == count);
			at += count;
			CHECK(cursor_at(&s, 7, n) == at);
			cursor_timed(&c, count, count * (i % 3));
		}
		CHECK(at == n);
		first = count = 99;
		CHECK(!cursor_claim(&c, to, &first, &count));
		CHECK(cursor_at(&s, 7, n) == n);
		free(to);
	}
}

/* Enough for some milliseconds, 16 times the last one, a half of an even share;
 * one at least. */
static void sizes(void)
{
	CHECK(cursor_size(0, 0, 1000000, 1) == 1);
	CHECK(cursor_size(0, 1000, 1000000, 1) == 1);
	CHECK(cursor_size(1, 0, 1000000, 1) == 1);
	CHECK(cursor_size(1, 1, 1000000, 1) == 16);
	CHECK(cursor_size(1, 16, 1000000, 1) == 256);
	CHECK(cursor_size(1000, 1000, 1000000, 1) == 2000);
	CHECK(cursor_size(1e12, 1000, 1000000, 1) == 1);
	CHECK(cursor_size(1e-9, 100000, 1000000, 1) == 500000);
	CHECK(cursor_size(1, 100000, 1000000, 4) == 125000);
	CHECK(cursor_size(1, 100, 10, 4) == 1);
	CHECK(cursor_size(1, 100, 1, 4) == 1);
	/* By the time of the last ones. */
	struct cursor_state s = {0};
	struct cursor c = cursor_of(&s, 1, 1000000, 2);
	const uint64_t to[] = {1000000};
	size_t first, count;
	cursor_open(&s, 1);
	CHECK(cursor_claim(&c, to, &first, &count) && count == 1);
	cursor_timed(&c, 1, 1000);
	CHECK(cursor_claim(&c, to, &first, &count) && count == 16);
	cursor_timed(&c, 0, 77); /* of nothing: it says nothing */
	CHECK(c.ns > 999 && c.ns < 1001);
	cursor_timed(&c, 16, 16000);
	CHECK(cursor_claim(&c, to, &first, &count) && count == 256);
	CHECK(cursor_claim(&c, to, &first, &count) && count == 2000);
	cursor_timed(&c, 2000, UINT64_C(2000) * 1000000);
	CHECK(cursor_claim(&c, to, &first, &count) && count == 2);
}

static void check_closed(struct cursor_state *s, uint32_t call)
{
	const uint64_t to[] = {10};
	struct cursor c = cursor_of(s, call, 10, 1);
	size_t first, count;
	CHECK(cursor_at(s, call, 10) == 10);
	CHECK(!cursor_claim(&c, to, &first, &count));
}

/* Who is late claims nothing of another call, nor changes what is left. */
static void calls(void)
{
	static const uint32_t tags[] = {1, 2, 77, 0xfffffe, 0x1000001};
	struct cursor_state s = {0};
	const uint64_t to[] = {10};
	size_t first, count;
	for (size_t i = 0; i < 4; i++)
		check_closed(&s, tags[i]);
	for (size_t i = 0; i < 5; i++) {
		struct cursor c = cursor_of(&s, tags[i], 10, 1);
		cursor_open(&s, tags[i]);
		for (size_t k = 1; k < 4; k++)
			if (k != i)
				check_closed(&s, tags[k]);
		CHECK(cursor_at(&s, tags[i], 10) == 0);
		CHECK(cursor_claim(&c, to, &first, &count) && first == 0);
		for (size_t k = 1; k < 4; k++)
			if (k != i)
				check_closed(&s, tags[k]);
		CHECK(cursor_claim(&c, to, &first, &count) && first == 1);
		CHECK(cursor_at(&s, tags[i], 10) == 2);
		if (i % 2)
			cursor_close(&s);
		for (size_t k = 0; i % 2 && k < 5; k++)
			check_closed(&s, tags[k]);
	}
	cursor_close(&s);
	cursor_close(&s);
	check_closed(&s, 0);
	check_closed(&s, 0xffffff); /* all ones */
	check_closed(&s, UINT32_MAX);
	cursor_open(&s, 3);
	CHECK(cursor_at(&s, 3, 10) == 0 && cursor_at(&s, 3, 0) == 0);
}

/* All claimed: it stays at the end, and there is nothing behind it. */
static void past_the_end(void)
{
	struct cursor_state s = {0};
	const uint64_t to[] = {100};
	size_t first, count;
	struct cursor c = cursor_of(&s, 5, 100, 1);
	cursor_open(&s, 5);
	while (cursor_claim(&c, to, &first, &count))
		;
	check_closed(&s, 5);
	CHECK(cursor_at(&s, 5, 100) == 100 && cursor_at(&s, 5, 200) == 100);
}

/* ---- several ---- */

static pid_t start(void (*run)(struct common *c, size_t i), struct common *c,
		   size_t i)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	test_seed += i;
	atomic_fetch_add(&c->ready, 1);
	while (atomic_load(&c->ready) < PEERS)
		;
	run(c, i);
	_exit(0);
}

static uint64_t *common_ends; /* known to all of them */

static bool claim_one(struct cursor *c, struct common *of)
{
	size_t first, count;
	if (!cursor_claim(c, common_ends, &first, &count))
		return false;
	CHECK(count > 0 && first < c->n && count <= c->n - first);
	CHECK(!crosses(common_ends, first, count));
	for (size_t i = first; i < first + count; i++)
		CHECK(atomic_fetch_add(&of->claims[i], 1) == 0);
	cursor_timed(c, count, count * (1 + test_below(1000)) * 100);
	return true;
}

static void claim_all(struct common *of, size_t i)
{
	(void)i;
	struct cursor c = cursor_of(&of->state, 9, MOST, PEERS);
	while (claim_one(&c, of))
		;
}

/* One at a time: they meet as often as can be. */
static void claim_singles(struct common *of, size_t i)
{
	(void)i;
	struct cursor c = cursor_of(&of->state, 9, MOST, MOST);
	while (claim_one(&c, of))
		CHECK(c.size == 1);
}

static void all_claimed_once(void (*run)(struct common *c, size_t i))
{
	struct common *c = new_common();
	pid_t pids[PEERS];
	common_ends = new_ends(MOST);
	cursor_open(&c->state, 9);
	for (size_t i = 0; i < PEERS; i++)
		pids[i] = start(run, c, i);
	for (size_t i = 0; i < PEERS; i++)
		test_wait_ok(pids[i]);
	for (size_t i = 0; i < MOST; i++)
		CHECK(c->claims[i] == 1);
	CHECK(cursor_at(&c->state, 9, MOST) == MOST);
	free(common_ends);
	CHECK(munmap(c, sizeof(*c)) == 0);
}

/* Closed, and opened for another call, in the middle: what had been claimed is
 * a prefix, and nobody claims from the other call. */
static void closed_meanwhile(void)
{
	for (int round = 0; round < 20; round++) {
		struct common *c = new_common();
		pid_t pids[PEERS];
		common_ends = new_ends(MOST);
		cursor_open(&c->state, 9);
		for (size_t i = 0; i < PEERS; i++)
			pids[i] = start(claim_singles, c, i);
		while (atomic_load(&c->ready) < PEERS)
			;
		test_sleep((double)test_below(2000) * 1e-6);
		size_t before = cursor_at(&c->state, 9, MOST);
		if (round % 2)
			cursor_close(&c->state);
		cursor_open(&c->state, 10);
		for (size_t i = 0; i < PEERS; i++)
			test_wait_ok(pids[i]);
		CHECK(cursor_at(&c->state, 10, MOST) == 0);
		size_t n = 0;
		while (n < MOST && c->claims[n] == 1)
			n++;
		CHECK(n >= before);
		for (size_t i = n; i < MOST; i++)
			CHECK(c->claims[i] == 0);
		free(common_ends);
		CHECK(munmap(c, sizeof(*c)) == 0);
	}
}

/* Those killed, at any moment, take their claim with them, and no more: the
 * others claim all the rest. */
static void killed_claimants(void)
{
	for (int round = 0; round < 20; round++) {
		enum { KILLED = 3 };
		struct common *c = new_common();
		pid_t pids[PEERS];
		common_ends = new_ends(MOST);
		cursor_open(&c->state, 9);
		for (size_t i = 0; i < PEERS; i++)
			pids[i] = start(round % 2 ? claim_singles : claim_all,
					c, i);
		while (atomic_load(&c->ready) < PEERS)
			;
		for (size_t i = 0; i < KILLED; i++) {
			test_sleep((double)test_below(500) * 1e-6);
			CHECK(kill(pids[i], SIGKILL) == 0);
		}
		for (size_t i = 0; i < PEERS; i++)
			if (i < KILLED)
				CHECK(waitpid(pids[i], NULL, 0) == pids[i]);
			else
				test_wait_ok(pids[i]);
		CHECK(cursor_at(&c->state, 9, MOST) == MOST);
		/* A claim of a killed one was marked from its beginning on. */
		size_t gaps = 0;
		for (size_t i = 0; i < MOST; i++) {
			CHECK(c->claims[i] <= 1);
			gaps += c->claims[i] == 0 &&
				(i == 0 || c->claims[i - 1] == 1);
		}
		CHECK(gaps <= KILLED);
		free(common_ends);
		CHECK(munmap(c, sizeof(*c)) == 0);
	}
}

int main(void)
{
	ends();
	sizes();
	calls();
	past_the_end();
	all_claimed_once(claim_all);
	all_claimed_once(claim_singles);
	closed_meanwhile();
	killed_claimants();
	return 0;
}
