/*
 * What lies in shared memory, and anybody may write: positions and sleepers of
 * a ring, a worker's record, the cursor. The bytes of an input are operations,
 * numbers in between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "frames.h"
#include "record.h"
#include "ring.h"
#include "world.h"

enum { MOST = 300, BLOCKS = 5, OPERATIONS = 48 };

static struct memory {
	struct rng *rng;
	struct ring_state state;
	unsigned char *bytes; /* of the ring, no more than there are */
	size_t size;
	struct ring reader, writer;
	uint64_t sent, received; /* while nobody lies */
	bool lied;
	struct record record;
	struct cursor_state at;
	struct cursor cursor;
	uint64_t *ends; /* of blocks */
} m;

static unsigned char byte_at(uint64_t i)
{
	return (unsigned char)(i * 7 + i / 256);
}

static void write_some(size_t n)
{
	unsigned char *from = malloc(n ? n : 1);
	if (!from)
		return;
	for (size_t i = 0; i < n; i++)
		from[i] = byte_at(m.sent + i);
	uint64_t at = m.writer.at;
	ssize_t k = ring_write(&m.writer, from, n);
	REQUIRE(k == -EPROTO ? m.lied : k >= 0 && (size_t)k <= n);
	REQUIRE(k <= (ssize_t)m.size);
	size_t wrote = k > 0 ? (size_t)k : 0;
	REQUIRE(m.writer.at == at + wrote);
	for (size_t i = 0; i < wrote; i++)
		REQUIRE(m.bytes[(at + i) % m.size] == from[i]);
	REQUIRE(m.lied || m.sent + wrote - m.received <= m.size);
	REQUIRE(m.lied || wrote == n || m.sent + wrote - m.received == m.size);
	m.sent += wrote;
	if (wrote > 0 && rng_one_in(m.rng, 8)) {
		ring_take_back(&m.writer, 1);
		m.sent--;
	}
	free(from);
}

static void read_some(size_t n)
{
	unsigned char *to = malloc(n ? n : 1);
	if (!to)
		return;
	uint64_t at = m.reader.at;
	ssize_t k = ring_read(&m.reader, to, n);
	REQUIRE(k == -EPROTO ? m.lied : k >= 0 && (size_t)k <= n);
	REQUIRE(k <= (ssize_t)m.size);
	size_t got = k > 0 ? (size_t)k : 0;
	REQUIRE(m.reader.at == at + got);
	for (size_t i = 0; i < got; i++) {
		REQUIRE(to[i] == m.bytes[(at + i) % m.size]);
		REQUIRE(m.lied || to[i] == byte_at(m.received + i));
	}
	REQUIRE(m.lied || got == n || m.received + got == m.sent);
	m.received += got;
	free(to);
}

static uint64_t near(uint64_t x)
{
	switch (rng_below(m.rng, 4)) {
	case 0:
		return frames_number(m.rng);
	case 1:
		return x + m.size + rng_below(m.rng, 3) - 1;
	case 2:
		return x + rng_below(m.rng, 7) - 3;
	default:
		return x + frames_number(m.rng);
	}
}

static void lie(void)
{
	m.lied = true;
	if (rng_one_in(m.rng, 2))
		m.state.written = near(m.reader.at);
	else
		m.state.read = near(m.writer.at);
}

static void wake(void)
{
	ring_reader_sleeps(&m.reader, rng_one_in(m.rng, 2));
	ring_writer_sleeps(&m.writer, rng_one_in(m.rng, 2));
	if (rng_one_in(m.rng, 2))
		m.state.reader_sleeps = (uint32_t)frames_number(m.rng);
	if (rng_one_in(m.rng, 2))
		m.state.writer_sleeps = (uint32_t)frames_number(m.rng);
	bool reader = m.state.reader_sleeps != 0;
	bool writer = m.state.writer_sleeps != 0;
	REQUIRE(ring_wakes_reader(&m.writer) == reader);
	REQUIRE(ring_wakes_writer(&m.reader) == writer);
	REQUIRE(!ring_wakes_reader(&m.writer)); /* once */
	REQUIRE(!ring_wakes_writer(&m.reader));
	REQUIRE(m.lied || ring_readable(&m.reader) == (m.sent > m.received));
	REQUIRE(m.lied ||
		ring_writable(&m.writer) == (m.sent - m.received < m.size));
}

static void record(void)
{
	uint32_t call = (uint32_t)frames_number(m.rng);
	size_t element = 0;
	uint64_t since = 0;
	size_t begun = rng_below(m.rng, 1000);
	if (rng_one_in(m.rng, 2)) {
		record_begin(&m.record, call, begun, rng_next(m.rng) | 1);
		REQUIRE(record_running(&m.record, call, &element, &since));
		REQUIRE(element == begun);
	}
	if (rng_one_in(m.rng, 2)) {
		m.record.at =
			rng_one_in(m.rng, 2)
				? call * CURSOR_MOST +
					  frames_number(m.rng) % CURSOR_MOST
				: frames_number(m.rng);
		m.record.since = frames_number(m.rng);
		m.record.stops = (uint32_t)frames_number(m.rng);
	}
	if (record_running(&m.record, call, &element, &since))
		REQUIRE(element < CURSOR_MOST - 1);
	record_stop(&m.record, call);
	REQUIRE(record_stops(&m.record, call));
	record_end(&m.record);
	REQUIRE(!record_running(&m.record, call, &element, &since));
}

static void claim(void)
{
	size_t first = 0, count = 0, n = m.cursor.n;
	if (rng_one_in(m.rng, 2))
		m.at.at = rng_one_in(m.rng, 2)
				  ? m.cursor.call * CURSOR_MOST +
					    frames_number(m.rng) % (n + 5)
				  : frames_number(m.rng);
	if (rng_one_in(m.rng, 4))
		cursor_timed(&m.cursor, rng_below(m.rng, 5),
			     frames_number(m.rng));
	REQUIRE(cursor_at(&m.at, m.cursor.call, n) <= n);
	if (!cursor_claim(&m.cursor, m.ends, &first, &count))
		return;
	size_t block = 0;
	while (m.ends[block] <= first)
		block++;
	REQUIRE(count > 0 && first < n && count <= n - first);
	REQUIRE(first + count <= m.ends[block]);
	REQUIRE(cursor_at(&m.at, m.cursor.call, n) == first + count);
}

static void set_up(void)
{
	m.size = 1 + rng_below(m.rng, rng_one_in(m.rng, 2) ? 8 : MOST);
	m.bytes = malloc(m.size);
	m.ends = malloc(BLOCKS * sizeof(*m.ends));
	REQUIRE(m.bytes && m.ends);
	ring_init(&m.reader, &m.state, m.bytes, m.size);
	ring_init(&m.writer, &m.state, m.bytes, m.size);
	uint64_t at = rng_one_in(m.rng, 2) ? rng_next(m.rng) >> 1 : 0;
	m.state.written = m.state.read = m.reader.at = m.writer.at = at;
	uint64_t end = 0;
	for (size_t i = 0; i < BLOCKS; i++)
		m.ends[i] = end += 1 + rng_below(m.rng, 200);
	m.cursor = (struct cursor){.state = &m.at,
				   .call = (uint32_t)frames_number(m.rng),
				   .n = (size_t)end,
				   .sharers = 1 + rng_below(m.rng, 10)};
	cursor_open(&m.at, m.cursor.call);
}

static void run(const unsigned char *bytes, size_t n)
{
	uint64_t seed = frames_seed(bytes, n);
	world_begin(seed);
	world.fails = 0;
	m = (struct memory){.rng = &world.rng};
	set_up();
	for (size_t i = sizeof(seed); i < n; i++) {
		size_t x = bytes[i] / 8;
		switch (bytes[i] % 8) {
		case 0:
		case 1:
			write_some(x * (1 + m.size / 16));
			break;
		case 2:
		case 3:
			read_some(x * (1 + m.size / 16));
			break;
		case 4:
			wake();
			break;
		case 5:
			record();
			break;
		case 6:
			claim();
			break;
		default:
			if (x % 4 == 0)
				lie();
		}
	}
	free(m.bytes);
	free(m.ends);
	world_end();
}

static void make(struct input *in, struct rng *r)
{
	frames_begin(in, r);
	for (size_t i = rng_below(r, OPERATIONS); i > 0; i--)
		in->bytes[in->n++] = (unsigned char)rng_below(r, 256);
}

const struct target target_memory = {"memory", 15, make, run};
