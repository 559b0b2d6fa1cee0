/*
 * The wire format: heads, words, the writer in all its states; and the reader
 * fed with damaged streams, held against a second, independent one below.
 */
#include "chan_read.h"
#include "wire.h"

#include <sys/mman.h>

#include "chan.h"
#include "io.h"
#include "test.h"

/* ---- heads and words ---- */

static bool same_head(const struct wire_head *a, const struct wire_head *b)
{
	return a->kind == b->kind && a->flags == b->flags &&
	       a->call == b->call && a->first == b->first &&
	       a->count == b->count && a->extra == b->extra;
}

static void heads(void)
{
	static const struct wire_head all[] = {
		{.kind = WIRE_READY},
		{.kind = WIRE_KINDS - 1, .flags = UINT16_MAX},
		{WIRE_RESULT, WIRE_LAST | WIRE_MIXED, UINT32_MAX, 1, 2, -3},
		{.kind = WIRE_RANGE, .first = UINT64_MAX},
		{.kind = WIRE_RANGE, .count = UINT64_MAX},
		{.kind = WIRE_DIED, .extra = INT64_MIN},
		{.kind = WIRE_DIED, .first = 7, .extra = INT64_MAX},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		unsigned char bytes[WIRE_HEAD + 1];
		bytes[WIRE_HEAD] = 0xa5;
		wire_pack(&all[i], bytes);
		CHECK(bytes[WIRE_HEAD] == 0xa5);
		struct wire_head h;
		CHECK(wire_unpack(bytes, &h) == 0);
		CHECK(same_head(&h, &all[i]));
	}
}

static void malformed_heads(void)
{
	struct wire_head h = {.kind = WIRE_CALL};
	unsigned char bytes[WIRE_HEAD];
	wire_pack(&h, bytes);
	for (int bit = 0; bit < 32; bit++) { /* of the magic number */
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CHECK(wire_unpack(bytes, &h) == -EPROTO);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	CHECK(wire_unpack(bytes, &h) == 0);
	for (unsigned kind = 0; kind <= UINT16_MAX; kind++) {
		h = (struct wire_head){.kind = (uint16_t)kind};
		wire_pack(&h, bytes);
		bool fine = kind >= WIRE_READY && kind < WIRE_KINDS;
		CHECK(wire_unpack(bytes, &h) == (fine ? 0 : -EPROTO));
	}
	static const uint64_t over[][2] = {
		{UINT64_MAX, 1}, {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
	for (size_t i = 0; i < 3; i++) {
		h = (struct wire_head){.kind = WIRE_RANGE,
				       .first = over[i][0],
				       .count = over[i][1]};
		wire_pack(&h, bytes);
		CHECK(wire_unpack(bytes, &h) == -EPROTO);
	}
}

static int word(uint32_t w, size_t *len, bool *last)
{
	unsigned char bytes[WIRE_WORD];
	memcpy(bytes, &w, WIRE_WORD);
	return wire_word(bytes, len, last);
}

static void words(void)
{
	static const uint32_t fine[] = {0, 1, 65536, (uint32_t)WIRE_FRAGMENT};
	size_t len;
	bool last;
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		CHECK(word(fine[i], &len, &last) == 0);
		CHECK(len == fine[i] && !last);
		CHECK(word(fine[i] | WIRE_END_BIT, &len, &last) == 0);
		CHECK(len == fine[i] && last);
	}
	CHECK(word((uint32_t)WIRE_FRAGMENT + 1, &len, &last) == -EPROTO);
	CHECK(word(WIRE_ABORT - 1, &len, &last) == -EPROTO);
	CHECK(word(WIRE_ABORT & ~WIRE_END_BIT, &len, &last) == -EPROTO);
	CHECK(word(WIRE_ABORT, &len, &last) == -ECANCELED);
}

/* ---- a second reader: what a stream that then ends must give ---- */

enum end { END_WHOLE, END_ABORT, END_EOF, END_PROTO };

struct message {
	struct wire_head head;
	unsigned char *payload; /* up to where it ended */
	size_t len;
	enum end end;
};

struct reader {
	const unsigned char *bytes;
	size_t n, at;
};

/* false: no head any more. *bad: because of one that is none. */
static bool read_message(struct reader *r, struct message *m, bool *bad)
{
	*bad = false;
	m->len = 0;
	if (r->n - r->at < WIRE_HEAD + WIRE_WORD)
		return false;
	if (wire_unpack(r->bytes + r->at, &m->head) < 0) {
		*bad = true;
		return false;
	}
	r->at += WIRE_HEAD;
	for (bool first = true;; first = false) {
		m->end = END_EOF;
		if (r->n - r->at < WIRE_WORD)
			return true;
		uint32_t w;
		memcpy(&w, r->bytes + r->at, WIRE_WORD);
		r->at += WIRE_WORD;
		m->end = END_ABORT;
		if (w == UINT32_C(0xffffffff))
			return true;
		size_t len = w & UINT32_C(0x7fffffff);
		m->end = END_PROTO;
		if (len > (size_t)1 << 30) {
			*bad = first;
			return !first;
		}
		size_t k = len < r->n - r->at ? len : r->n - r->at;
		memcpy(m->payload + m->len, r->bytes + r->at, k);
		m->len += k;
		r->at += k;
		m->end = END_EOF;
		if (k < len)
			return true;
		m->end = END_WHOLE;
		if (w >> 31)
			return true;
	}
}

/* ---- the writer ---- */

static void expect(const struct buf *b, size_t from, const char *payload,
		   size_t len, enum end end)
{
	struct message m = {.payload = malloc(b->len + 1)};
	struct reader r = {b->bytes, b->len, from};
	bool bad;
	CHECK(m.payload && read_message(&r, &m, &bad));
	CHECK(r.at == b->len);
	CHECK(m.end == end && m.len == len);
	CHECK(memcmp(m.payload, payload, len) == 0);
	free(m.payload);
}

static const struct wire_head result = {.kind = WIRE_RESULT, .call = 9};

static void writer(void)
{
	struct buf b;
	struct wire_writer w;
	buf_init(&b, 1000);
	CHECK(wire_begin(&w, &b, &result) == 0 && w.open);
	wire_end(&w);
	CHECK(!w.open && b.len == WIRE_HEAD + WIRE_WORD);
	expect(&b, 0, "", 0, END_WHOLE);
	size_t second = b.len;
	CHECK(wire_begin(&w, &b, &result) == 0);
	CHECK(wire_put(&w, "abc", 3) == 0 && wire_put(&w, "", 0) == 0);
	CHECK(wire_put(&w, "defg", 4) == 0);
	wire_end(&w);
	expect(&b, second, "abcdefg", 7, END_WHOLE);
	CHECK(b.len == second + WIRE_HEAD + WIRE_WORD + 7);
	buf_release(&b);
}

static void broken_up(void)
{
	struct buf b;
	struct wire_writer w;
	buf_init(&b, 1000);
	CHECK(wire_begin(&w, &b, &result) == 0 && !w.broken_up);
	wire_break(&w); /* an empty fragment */
	CHECK(w.open && w.broken_up);
	CHECK(wire_resume(&w) == 0);
	CHECK(wire_put(&w, "abc", 3) == 0);
	wire_break(&w);
	CHECK(wire_resume(&w) == 0);
	CHECK(wire_put(&w, "de", 2) == 0);
	wire_end(&w);
	expect(&b, 0, "abcde", 5, END_WHOLE);
	CHECK(b.len == WIRE_HEAD + 3 * WIRE_WORD + 5);
	buf_release(&b);
}

/* The buffer is emptied whenever the message is broken up, as if it was sent;
 * what was sent must be the message. */
static void sent_while_written(void)
{
	struct buf b, sent;
	struct wire_writer w;
	char text[400];
	buf_init(&b, 1000);
	buf_init(&sent, 100000);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	CHECK(wire_begin(&w, &b, &result) == 0);
	for (size_t at = 0; at < sizeof(text);) {
		size_t k = 1 + test_below(30);
		k = k > sizeof(text) - at ? sizeof(text) - at : k;
		CHECK(wire_put(&w, text + at, k) == 0);
		at += k;
		if (test_below(3) > 0)
			continue;
		wire_break(&w);
		CHECK(buf_append(&sent, b.bytes, b.len) == 0);
		buf_clear(&b);
		CHECK(wire_resume(&w) == 0);
	}
	wire_end(&w);
	CHECK(buf_append(&sent, b.bytes, b.len) == 0);
	expect(&sent, 0, text, sizeof(text), END_WHOLE);
	buf_release(&b);
	buf_release(&sent);
}

/* A fragment is full at 1 GB; a mapping of which only the ends are touched does
 * for it. */
static void full_fragment(void)
{
	size_t cap = WIRE_FRAGMENT + 65536;
	unsigned char *bytes =
		mmap(NULL, cap, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(bytes != MAP_FAILED);
	struct buf b = {.bytes = bytes, .cap = cap, .max = cap};
	struct wire_writer w;
	for (size_t over = 0; over < 3; over++) { /* bytes in the second one */
		b.len = 0;
		CHECK(wire_begin(&w, &b, &result) == 0);
		b.len += WIRE_FRAGMENT - 2;
		CHECK(wire_put(&w, "abcdef", 2 + over) == 0);
		wire_end(&w);
		size_t len;
		bool last;
		CHECK(wire_word(bytes + WIRE_HEAD, &len, &last) == 0);
		CHECK(len == WIRE_FRAGMENT && !last);
		size_t next = WIRE_HEAD + WIRE_WORD + WIRE_FRAGMENT;
		CHECK(memcmp(bytes + next - 2, "ab", 2) == 0);
		CHECK(wire_word(bytes + next, &len, &last) == 0);
		CHECK(len == over && last);
		CHECK(memcmp(bytes + next + WIRE_WORD, "cdef", over) == 0);
		CHECK(b.len == next + WIRE_WORD + over);
	}
	CHECK(munmap(bytes, cap) == 0);
}

/* ---- giving up ---- */

static void given_up_whole(void)
{
	struct buf b;
	struct wire_writer w = {0};
	buf_init(&b, 1000);
	CHECK(wire_give_up(&w) == 0); /* nothing was begun */
	CHECK(buf_append(&b, "before", 6) == 0);
	for (int put = 0; put < 2; put++) {
		CHECK(wire_begin(&w, &b, &result) == 0);
		CHECK(put == 0 || wire_put(&w, "abc", 3) == 0);
		CHECK(wire_give_up(&w) == 0 && !w.open);
		CHECK(b.len == 6 && memcmp(b.bytes, "before", 6) == 0);
		CHECK(wire_give_up(&w) == 0 && b.len == 6);
	}
	CHECK(wire_begin(&w, &b, &result) == 0);
	wire_end(&w);
	size_t len = b.len;
	CHECK(wire_give_up(&w) == 0 && b.len == len); /* it had ended */
	buf_release(&b);
}

/* Part of it was sent: after the first put, emptied or not, gone on or not. */
static void given_up_in_the_middle(void)
{
	for (int way = 0; way < 12; way++) {
		bool emptied = way & 1, resumed = way & 2;
		int put = way / 4; /* bytes after that */
		if (put > 0 && !resumed)
			continue;
		struct buf b, sent;
		struct wire_writer w;
		buf_init(&b, 1000);
		buf_init(&sent, 1000);
		CHECK(wire_begin(&w, &b, &result) == 0);
		CHECK(wire_put(&w, "abc", 3) == 0);
		wire_break(&w);
		if (emptied) {
			CHECK(buf_append(&sent, b.bytes, b.len) == 0);
			buf_clear(&b);
		}
		CHECK(!resumed || wire_resume(&w) == 0);
		CHECK(wire_put(&w, "de", (size_t)put) == 0 || !resumed);
		CHECK(wire_give_up(&w) == 0 && !w.open);
		size_t len = b.len;
		CHECK(wire_give_up(&w) == 0 && b.len == len);
		CHECK(buf_append(&sent, b.bytes, b.len) == 0);
		expect(&sent, 0, "abc", 3, END_ABORT);
		buf_release(&b);
		buf_release(&sent);
	}
}

static void no_room(void)
{
	struct wire_writer w;
	for (size_t max = 0; max < WIRE_HEAD + WIRE_WORD; max++) {
		struct buf b;
		buf_init(&b, max);
		CHECK(wire_begin(&w, &b, &result) == -EFBIG);
		CHECK(!w.open && b.len == 0);
		buf_release(&b);
	}
	struct buf b;
	buf_init(&b, WIRE_HEAD + WIRE_WORD + 5);
	CHECK(wire_begin(&w, &b, &result) == 0);
	CHECK(wire_put(&w, "abc", 3) == 0);
	CHECK(wire_put(&w, "def", 3) == -EFBIG);
	CHECK(wire_give_up(&w) == 0 && b.len == 0);
	CHECK(wire_begin(&w, &b, &result) == 0);
	wire_end(&w);
	expect(&b, 0, "", 0, END_WHOLE);
	buf_release(&b);
}

/* An abort mark that finds no room is still owed. */
static void no_room_for_the_abort(void)
{
	struct buf b;
	struct wire_writer w;
	buf_init(&b, WIRE_HEAD + WIRE_WORD + 3);
	CHECK(wire_begin(&w, &b, &result) == 0);
	CHECK(wire_put(&w, "abc", 3) == 0);
	wire_break(&w);
	CHECK(wire_give_up(&w) == -EFBIG);
	b.len = 0; /* it was sent */
	CHECK(wire_give_up(&w) == 0);
	size_t len;
	bool last;
	CHECK(b.len == WIRE_WORD);
	CHECK(wire_word(b.bytes, &len, &last) == -ECANCELED);
	buf_release(&b);
}

/* ---- the reader on damaged streams ---- */

enum { MOST = 3000 };

/* A few messages, some in fragments, some given up. */
static size_t make_stream(unsigned char *bytes)
{
	struct buf b;
	buf_init(&b, MOST);
	size_t messages = 1 + test_below(4);
	for (size_t i = 0; i < messages; i++) {
		struct wire_head h = {
			.kind = (uint16_t)(1 + test_below(WIRE_KINDS - 1)),
			.flags = (uint16_t)test_below(8),
			.first = test_below(1000),
			.count = test_below(1000)};
		struct wire_writer w;
		CHECK(wire_begin(&w, &b, &h) == 0);
		for (size_t k = test_below(5); k-- > 0;) {
			unsigned char put[100];
			memset(put, (int)test_below(256), sizeof(put));
			CHECK(wire_put(&w, put, test_below(100)) == 0);
			if (test_below(2) == 0) {
				wire_break(&w);
				CHECK(wire_resume(&w) == 0);
			}
		}
		if (test_below(5) == 0)
			CHECK(wire_give_up(&w) == 0);
		else
			wire_end(&w);
	}
	size_t n = b.len;
	if (n > 0)
		memcpy(bytes, b.bytes, n);
	buf_release(&b);
	return n;
}

static size_t damage(unsigned char *bytes, size_t n)
{
	switch (test_below(5)) {
	case 0: /* whole */
		break;
	case 1: /* cut off */
		n = test_below(n + 1);
		break;
	case 2: /* bits flipped */
		for (size_t k = 1 + test_below(4); n > 0 && k-- > 0;)
			bytes[test_below(n)] ^=
				(unsigned char)(1 << test_below(8));
		break;
	case 3: /* a stretch left out */
		if (n > 0) {
			size_t from = test_below(n);
			size_t k = test_below(n - from + 1);
			memmove(bytes + from, bytes + from + k, n - from - k);
			n -= k;
		}
		break;
	default: /* noise from some byte on */
		for (size_t i = test_below(n + 1); i < n; i++)
			bytes[i] = (unsigned char)test_random();
	}
	return n;
}

/* Reads the payload in pieces; what the end must be is known. */
static void read_payload(struct chan *c, const struct message *m)
{
	static const int codes[] = {[END_WHOLE] = -ENODATA,
				    [END_ABORT] = -ECANCELED,
				    [END_EOF] = -EPIPE,
				    [END_PROTO] = -EPROTO};
	unsigned char got[MOST];
	size_t at = 0;
	if (test_below(3) > 0) {
		for (;;) {
			size_t want = at + 1 + test_below(200);
			want = want > MOST ? MOST : want;
			int rc = chan_pull(c, got, want, &at);
			CHECK(at <= m->len);
			if (rc < 0) {
				CHECK(rc == codes[m->end]);
				break;
			}
			CHECK(at == want);
		}
		CHECK(at == m->len && memcmp(got, m->payload, at) == 0);
	}
	int rc = chan_finish(c);
	CHECK(rc == (m->end == END_EOF	   ? -EPIPE
		     : m->end == END_PROTO ? -EPROTO
					   : 0));
}

static void read_stream(const unsigned char *bytes, size_t n)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	struct chan c;
	chan_init(&c, end[0]);
	for (size_t at = 0; at < n;) {
		ssize_t k = io_send(end[1], bytes + at, n - at);
		CHECK(k > 0);
		at += (size_t)k;
	}
	io_close(&end[1]);
	unsigned char payload[MOST];
	struct reader r = {bytes, n, 0};
	struct message m = {.payload = payload};
	for (;;) {
		bool bad;
		bool more = read_message(&r, &m, &bad);
		struct wire_head h;
		int rc;
		while ((rc = chan_head(&c, &h)) == -EAGAIN)
			if ((rc = chan_fill(&c)) < 0)
				break;
		CHECK(rc == (more ? 0 : bad ? -EPROTO : -EPIPE));
		if (!more)
			break;
		CHECK(same_head(&h, &m.head));
		read_payload(&c, &m);
		if (m.end == END_EOF || m.end == END_PROTO)
			break;
	}
	chan_release(&c);
}

static void damaged_streams(void)
{
	for (int round = 0; round < 20000; round++) {
		unsigned char bytes[MOST];
		size_t n = damage(bytes, make_stream(bytes));
		/* Of the very size, so that the sanitizer sees a step over. */
		unsigned char *exact = malloc(n ? n : 1);
		CHECK(exact);
		memcpy(exact, bytes, n);
		read_stream(exact, n);
		free(exact);
	}
}

int main(void)
{
	heads();
	malformed_heads();
	words();
	writer();
	broken_up();
	sent_while_written();
	full_fragment();
	given_up_whole();
	given_up_in_the_middle();
	no_room();
	no_room_for_the_abort();
	damaged_streams();
	return 0;
}
