/*
 * The ring: every size and every wrap against a model, streams between
 * processes, a peer that is killed, and one that writes nonsense.
 */
#include "ring.h"

#include "test_stream.h"

/* What processes of a test share. */
struct common {
	struct ring_state state;
	_Atomic uint64_t news;
	unsigned char bytes[1 << 16];
};

static struct common *new_common(void)
{
	return new_shared(sizeof(struct common));
}

static void drop_common(struct common *c)
{
	drop_shared(c, sizeof(*c));
}

/* Memory of just that size: what goes past it is seen. */
static unsigned char *new_bytes(size_t n)
{
	unsigned char *bytes = calloc(n ? n : 1, 1);
	CHECK(bytes);
	return bytes;
}

/* ---- one process ---- */

/* n: no more than what there is, or what there is room for */
static size_t some(size_t size)
{
	switch (test_below(4)) {
	case 0:
		return 1 + test_below(2 * size);
	case 1:
		return 1 + test_below(size);
	case 2:
		return 1;
	default:
		return 1 + test_below(size < 20 ? size : 20);
	}
}

static void as_the_model(size_t size, uint64_t begin)
{
	static struct ring_state state;
	struct ring in, out;
	unsigned char *ring = new_bytes(size);
	state = (struct ring_state){.written = begin, .read = begin};
	ring_init(&in, &state, ring, size);
	ring_init(&out, &state, ring, size);
	CHECK(begin > 0 || (in.at == 0 && out.at == 0));
	in.at = out.at = begin;
	uint64_t written = begin, read = begin;
	for (int i = 0; i < 4000; i++) {
		size_t n = some(size), used = (size_t)(written - read);
		unsigned char *bytes = new_bytes(n);
		CHECK(ring_readable(&in) == (used > 0));
		CHECK(ring_writable(&out) == (used < size));
		if (test_below(2)) {
			make(bytes, written, n);
			size_t room = size - used;
			size_t k = n < room ? n : room;
			CHECK(ring_write(&out, bytes, n) == (ssize_t)k);
			size_t back = i % 5 ? 0 : test_below(k + 1);
			if (back > 0)
				ring_take_back(&out, back);
			written += k - back;
		} else {
			size_t k = n < used ? n : used;
			CHECK(ring_read(&in, bytes, n) == (ssize_t)k);
			check_bytes(bytes, read, k);
			for (size_t j = k; j < n; j++)
				CHECK(bytes[j] == 0); /* and no more */
			read += k;
		}
		CHECK(state.written == written && state.read == read);
		free(bytes);
	}
	CHECK(written - begin > 10 * size || size > 4000);
	free(ring);
}

static void any_size(void)
{
	static const size_t sizes[] = {1,  2,  3,   4,	  5,	7,
				       64, 65, 100, 4096, 5001, 65536};
	static const uint64_t begins[] = {0, UINT64_C(0xfffffffd),
					  (UINT64_C(1) << 53) + 17};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (size_t k = 0; k < 3; k++)
			as_the_model(sizes[i], begins[k]);
}

/* A position that cannot be is an error, and nothing is moved or touched. */
static void nonsense(void)
{
	enum { SIZE = 100 };
	static struct ring_state state;
	struct ring r;
	unsigned char *ring = new_bytes(SIZE);
	unsigned char bytes[3 * SIZE];
	for (int i = 0; i < 30000; i++) {
		uint64_t at = i % 3 ? test_below(1000) : test_random() / 2;
		uint64_t other =
			i % 2	? test_random()
			: i % 8 ? at + test_below(3 * SIZE) - SIZE
				: at + (test_random() & 3) * UINT32_MAX;
		size_t n = 1 + test_below(sizeof(bytes));
		memset(bytes, 5, sizeof(bytes));
		/* What has been written, to the reader. */
		uint64_t filled = other - at;
		state = (struct ring_state){.written = other, .read = at};
		ring_init(&r, &state, ring, SIZE);
		r.at = at;
		CHECK(ring_readable(&r) == (filled != 0));
		ssize_t k = ring_read(&r, bytes, n);
		if (filled > SIZE) {
			CHECK(k == -EPROTO && r.at == at && state.read == at);
			CHECK(bytes[0] == 5);
		} else {
			CHECK(k == (ssize_t)(n < filled ? n : filled));
		}
		CHECK(state.written == other);
		/* What has been read, to the writer. */
		uint64_t used = at - other;
		state = (struct ring_state){.written = at, .read = other};
		ring_init(&r, &state, ring, SIZE);
		r.at = at;
		memset(ring, 0, SIZE);
		memset(bytes, 5, sizeof(bytes));
		CHECK(ring_writable(&r) == (used != SIZE));
		k = ring_write(&r, bytes, n);
		if (used > SIZE) {
			CHECK(k == -EPROTO && r.at == at);
			CHECK(state.written == at);
			for (int j = 0; j < SIZE; j++)
				CHECK(ring[j] == 0);
		} else {
			size_t room = (size_t)(SIZE - used);
			CHECK(k == (ssize_t)(n < room ? n : room));
		}
		CHECK(state.read == other);
	}
	/* What it says of its sleep is anything, too. */
	state = (struct ring_state){.reader_sleeps = 77,
				    .writer_sleeps = UINT32_MAX};
	CHECK(ring_wakes_reader(&r) && !ring_wakes_reader(&r));
	CHECK(ring_wakes_writer(&r) && !ring_wakes_writer(&r));
	free(ring);
}

/* Asleep, then woken once, and not again before the next time. */
static void wakes_once(void)
{
	static struct ring_state state;
	unsigned char bytes[8], c = 0;
	struct ring in, out;
	ring_init(&in, &state, bytes, sizeof(bytes));
	ring_init(&out, &state, bytes, sizeof(bytes));
	CHECK(!ring_wakes_reader(&out) && !ring_wakes_writer(&in));
	for (int i = 0; i < 3; i++) {
		ring_reader_sleeps(&in, true);
		ring_reader_sleeps(&in, true);
		CHECK(!ring_wakes_writer(&in));
		CHECK(ring_write(&out, &c, 1) == 1);
		CHECK(ring_wakes_reader(&out) && !ring_wakes_reader(&out));
		ring_reader_sleeps(&in, false);
		CHECK(!ring_wakes_reader(&out));
		ring_writer_sleeps(&out, true);
		CHECK(!ring_wakes_reader(&out));
		CHECK(ring_read(&in, &c, 1) == 1);
		CHECK(ring_wakes_writer(&in) && !ring_wakes_writer(&in));
		ring_writer_sleeps(&out, false);
		CHECK(!ring_wakes_writer(&in));
		/* Awake again by itself. */
		ring_reader_sleeps(&in, true);
		ring_reader_sleeps(&in, false);
		ring_writer_sleeps(&out, true);
		ring_writer_sleeps(&out, false);
		CHECK(!ring_wakes_reader(&out) && !ring_wakes_writer(&in));
	}
	CHECK(state.written == 3 && state.read == 3);
}

/* ---- two processes ---- */

enum { MOST = 1 << 17 }; /* bytes at a time */

static uint64_t add_up(uint64_t sum, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* The same numbers in writer and reader. */
static void make_random(unsigned char *bytes, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + 1;
		bytes[i] = (unsigned char)(*seed >> 33);
	}
}

/* Looked n times in vain: where cores are busy the other one needs ours. */
static void wait_a_little(int n)
{
	if (n > 0 && n % 500 == 0)
		test_sleep(2e-5);
}

static void write_stream(struct common *c, size_t size, size_t total)
{
	static unsigned char bytes[MOST];
	struct ring r;
	uint64_t seed = size, sum = 0;
	ring_init(&r, &c->state, c->bytes, size);
	for (size_t at = 0; at < total;) {
		size_t n = 1 + test_below(test_below(2) ? MOST : 50);
		n = n < total - at ? n : total - at;
		make_random(bytes, n, &seed);
		int in_vain = 0;
		for (size_t sent = 0; sent < n;) {
			ssize_t k = ring_write(&r, bytes + sent, n - sent);
			CHECK(k >= 0);
			sent += (size_t)k;
			in_vain = k > 0 ? 0 : in_vain + 1;
			wait_a_little(in_vain);
		}
		sum = add_up(sum, bytes, n);
		at += n;
	}
	c->news = sum;
}

/* Many bytes in pieces of any size, as they were. */
static void streams(size_t size, size_t total)
{
	static unsigned char bytes[MOST];
	struct common *c = new_common();
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		write_stream(c, size, total);
		_exit(0);
	}
	test_seed += size;
	struct ring r;
	uint64_t sum = 0;
	double limit = test_now() + 60;
	int in_vain = 0;
	ring_init(&r, &c->state, c->bytes, size);
	for (size_t at = 0; at < total;) {
		size_t n = 1 + test_below(test_below(2) ? MOST : 50);
		ssize_t k = ring_read(&r, bytes, n);
		CHECK(k >= 0 && (size_t)k <= size && (size_t)k <= n);
		sum = add_up(sum, bytes, (size_t)k);
		at += (size_t)k;
		CHECK(at <= total && test_now() < limit);
		in_vain = k > 0 ? 0 : in_vain + 1;
		wait_a_little(in_vain);
	}
	test_wait_ok(pid);
	CHECK(!ring_readable(&r) && sum == c->news);
	drop_common(c);
}

/* The positions change while they are looked at: whatever comes of it, it stays
 * within the memory there is. */
static void goes_wild(void)
{
	enum { SIZE = 1000 };
	struct common *c = new_common();
	unsigned char *ring = new_bytes(SIZE), *bytes = new_bytes(2 * SIZE);
	pid_t pid = fork();
	CHECK(pid >= 0);
	while (pid == 0) {
		uint64_t at = c->news, any = test_random();
		uint64_t to = any % 4 ? at + any / 4 % (2 * SIZE) - SIZE : any;
		c->state.written = to;
		c->state.read = to;
	}
	struct ring r;
	ring_init(&r, &c->state, ring, SIZE);
	int wrong = 0, right = 0;
	double end = test_now() + 0.7;
	while (test_now() < end) {
		bool reads = test_below(2) > 0;
		size_t n = 1 + test_below(2 * SIZE);
		ssize_t k = reads ? ring_read(&r, bytes, n)
				  : ring_write(&r, bytes, n);
		CHECK(k == -EPROTO || (k >= 0 && k <= SIZE));
		wrong += k < 0;
		right += k > 0;
		c->news = r.at;
	}
	CHECK(wrong > 0 && right > 0);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	free(ring);
	free(bytes);
	drop_common(c);
}

/* Killed at any moment: what can be read is what it wrote. */
static void killed_writer(void)
{
	enum { SIZE = 5000 };
	static unsigned char bytes[SIZE];
	uint64_t all = 0;
	for (int round = 0; round < 40; round++) {
		struct common *c = new_common();
		struct ring r;
		ring_init(&r, &c->state, c->bytes, SIZE);
		pid_t pid = fork();
		CHECK(pid >= 0);
		for (uint64_t at = 0; pid == 0;) {
			size_t n = 1 + test_below(SIZE);
			make(bytes, at, n);
			ssize_t k = ring_write(&r, bytes, n);
			CHECK(k >= 0);
			at += (size_t)k;
		}
		uint64_t at = 0;
		double end = test_now() + (double)test_below(4000) * 1e-6;
		bool killed = false;
		for (;;) {
			ssize_t k = ring_read(&r, bytes, sizeof(bytes));
			CHECK(k >= 0);
			check_bytes(bytes, at, (size_t)k);
			at += (size_t)k;
			if (killed && k == 0)
				break;
			if (!killed && test_now() > end) {
				CHECK(kill(pid, SIGKILL) == 0);
				CHECK(waitpid(pid, NULL, 0) == pid);
				killed = true;
			}
		}
		CHECK(at == c->state.written);
		all += at;
		drop_common(c);
	}
	CHECK(all > 0);
}

int main(void)
{
	any_size();
	nonsense();
	wakes_once();
	streams(1, 5000);
	streams(13, 1 << 18);
	streams(4096, 8 << 20);
	streams(65536, 32 << 20);
	goes_wild();
	killed_writer();
	return 0;
}
