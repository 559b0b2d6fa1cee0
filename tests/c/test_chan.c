/*
 * Messages over a link: order, partial sends, streaming, aborts, ends, and
 * passed descriptors; over a socket alone, and through shared memory. Both ends
 * are this process unless a test says otherwise: what waits for the other end
 * waits in vain, for a slice of time, which a timer cuts short.
 */
#include "chan.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "chan_read.h"
#include "io.h"
#include "test.h"

static bool shares; /* memory */
static struct chan from, to;

static void on_timer(int signal)
{
	(void)signal;
}

/* Interrupts every wait after a millisecond, or no longer. */
static void interrupt_waits(bool on)
{
	struct sigaction a = {.sa_handler = on_timer};
	struct itimerval t = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};
	CHECK(sigaction(SIGALRM, &a, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static void set_up(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	int small = 20000;
	CHECK(setsockopt(end[0], SOL_SOCKET, SO_SNDBUF, &small,
			 sizeof(small)) == 0);
	chan_init(&from, end[0]);
	chan_init(&to, end[1]);
	to.link.passing = LINK_RINGS; /* if there are to be any */
	if (shares)
		CHECK(link_share(&from.link) == 0);
}

static void tear_down(void)
{
	chan_release(&from);
	chan_release(&to);
	CHECK(from.link.fd == -1 && to.link.fd == -1);
	CHECK(!link_has_rings(&from.link) && !link_has_rings(&to.link));
}

static struct wire_head numbered(uint64_t first)
{
	return (struct wire_head){.kind = WIRE_RANGE, .first = first};
}

/* A byte that tells its place and its message. */
static unsigned char byte_at(size_t i, size_t message)
{
	return (unsigned char)(i * 7 + i / 256 + message * 13);
}

static void make(unsigned char *bytes, size_t at, size_t n, size_t message)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(at + i, message);
}

static void check_bytes(const unsigned char *bytes, size_t at, size_t n,
			size_t message)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(at + i, message))
			CHECK(!"the bytes that were sent");
}

/* Flushes and fills until a message is in front. */
static void head(uint64_t first)
{
	struct wire_head h;
	int rc;
	while ((rc = chan_head(&to, &h)) == -EAGAIN) {
		int sent = chan_flush(&from);
		CHECK(sent == 0 || sent == -EAGAIN);
		rc = chan_fill(&to);
		CHECK(rc == 0 || (rc == -EAGAIN && sent == -EAGAIN));
	}
	CHECK(rc == 0 && h.kind == WIRE_RANGE && h.first == first);
}

/* The payload of the message in front is that one, n long; leaves it. */
static void payload(size_t n, size_t message)
{
	unsigned char *bytes = malloc(n + 1);
	CHECK(bytes);
	size_t got = 0;
	int rc;
	while ((rc = chan_pull(&to, bytes, n, &got)) == -EAGAIN) {
		rc = chan_flush(&from);
		CHECK(rc == 0 || rc == -EAGAIN);
	}
	CHECK(rc == 0 && got == n);
	check_bytes(bytes, 0, n, message);
	got = 0;
	CHECK(chan_pull(&to, bytes, 1, &got) == -ENODATA && got == 0);
	CHECK(chan_finish(&to) == 0);
	free(bytes);
}

static void nothing_left(void)
{
	struct wire_head h;
	CHECK(!chan_pending(&from) && chan_flush(&from) == 0);
	CHECK(chan_head(&to, &h) == -EAGAIN);
	CHECK(chan_fill(&to) == -EAGAIN);
	CHECK(chan_buffered(&to) == 0 && !chan_whole(&to));
	CHECK(chan_finish(&to) == 0);
}

static void write_message(uint64_t first, size_t n, size_t message)
{
	struct wire_head h = numbered(first);
	unsigned char *bytes = malloc(n + 1);
	CHECK(bytes);
	make(bytes, 0, n, message);
	CHECK(chan_begin(&from, &h) == 0);
	CHECK(chan_put(&from, bytes, n) == 0);
	chan_end(&from);
	free(bytes);
}

static struct blob *new_blob(uint64_t first, size_t n, size_t message)
{
	struct wire_head h = numbered(first);
	struct wire_writer w;
	struct blob *s = blob_new();
	unsigned char *bytes = malloc(n + 1);
	CHECK(s && bytes);
	make(bytes, 0, n, message);
	CHECK(wire_begin(&w, &s->buf, &h) == 0);
	CHECK(wire_put(&w, bytes, n) == 0);
	wire_end(&w);
	free(bytes);
	return s;
}

/* ---- small messages ---- */

static void said(void)
{
	set_up();
	struct wire_head h = {WIRE_DIED, 3, 4, 5, 6, -7}, got;
	nothing_left();
	CHECK(chan_say(&from, &h) == 0 && chan_pending(&from));
	CHECK(chan_flush(&from) == 0 && !chan_pending(&from));
	CHECK(chan_fill(&to) == 0);
	CHECK(chan_head(&to, &got) == 0 && chan_whole(&to));
	CHECK(got.kind == WIRE_DIED && got.flags == 3 && got.call == 4);
	CHECK(got.first == 5 && got.count == 6 && got.extra == -7);
	got.first = 0;
	CHECK(chan_head(&to, &got) == 0 && got.first == 5); /* still in front */
	CHECK(chan_finish(&to) == 0);
	nothing_left();
	for (uint64_t i = 0; i < 100; i++) {
		h = numbered(i);
		CHECK(chan_say(&from, &h) == 0);
	}
	for (uint64_t i = 0; i < 100; i++) {
		head(i);
		payload(0, 0);
	}
	nothing_left();
	tear_down();
}

/* A byte at a time: a message is in front when its head and first word are
 * here, and whole with its last byte. */
static void by_the_byte(void)
{
	set_up();
	struct blob *s = new_blob(1, 5, 9);
	struct wire_head h;
	for (size_t i = 0; i < s->buf.len; i++) {
		size_t here = i < WIRE_HEAD + WIRE_WORD;
		CHECK(chan_head(&to, &h) == (here ? -EAGAIN : 0));
		CHECK(!chan_whole(&to));
		CHECK(link_send(&from.link, s->buf.bytes + i, 1) == 1);
		CHECK(chan_fill(&to) == 0);
	}
	CHECK(chan_head(&to, &h) == 0 && chan_whole(&to));
	CHECK(chan_buffered(&to) == 5);
	payload(5, 9);
	nothing_left();
	blob_unref(s);
	/* All of its first fragment is not all of it. */
	struct wire_writer w;
	struct buf b;
	buf_init(&b, 1000);
	h = numbered(2);
	CHECK(wire_begin(&w, &b, &h) == 0);
	CHECK(wire_put(&w, (unsigned char[]){byte_at(0, 9)}, 1) == 0);
	wire_break(&w);
	CHECK(link_send(&from.link, b.bytes, b.len) == (ssize_t)b.len);
	b.len = 0;
	head(2);
	CHECK(chan_buffered(&to) == 1 && !chan_whole(&to));
	CHECK(wire_resume(&w) == 0);
	wire_end(&w);
	CHECK(link_send(&from.link, b.bytes, b.len) == (ssize_t)b.len);
	payload(1, 9);
	nothing_left();
	buf_release(&b);
	tear_down();
}

static void taken_back(void)
{
	set_up();
	struct wire_head h = numbered(1);
	write_message(0, 10, 0);
	CHECK(chan_begin(&from, &h) == 0);
	CHECK(chan_put(&from, "left behind", 11) == 0);
	CHECK(chan_flush(&from) == -EAGAIN); /* not while it is open */
	CHECK(chan_fill(&to) == -EAGAIN);
	write_message(2, 20, 2); /* takes it back */
	CHECK(chan_begin(&from, &h) == 0);
	CHECK(chan_put(&from, "given up", 8) == 0);
	CHECK(chan_give_up(&from) == 0 && chan_give_up(&from) == 0);
	head(0);
	payload(10, 0);
	head(2);
	payload(20, 2);
	nothing_left();
	tear_down();
}

/* Unread, whole or in pieces, buffered or not. */
static void left_unread(void)
{
	set_up();
	static const size_t sizes[] = {0, 1, 1000, 100000, 700000};
	unsigned char some[1];
	interrupt_waits(true);
	for (size_t i = 0; i < 5; i++)
		for (int read = 0; read < 2; read++) {
			write_message(i, sizes[i], i);
			write_message(100, 3, 1);
			head(i);
			size_t got = 0;
			if (read && sizes[i] > 0)
				CHECK(chan_pull(&to, some, 1, &got) == 0);
			int rc;
			while ((rc = chan_finish(&to)) == -EAGAIN)
				(void)chan_flush(&from);
			CHECK(rc == 0 && chan_finish(&to) == 0);
			head(100);
			payload(3, 1);
			nothing_left();
		}
	interrupt_waits(false);
	tear_down();
}

/* ---- more than the socket holds ---- */

static void partial_sends(void)
{
	enum { N = 3000000 };
	set_up();
	write_message(1, N, 1);
	write_message(2, 50, 2);
	int rounds = 0;
	struct wire_head h;
	unsigned char *bytes = malloc(N);
	CHECK(bytes);
	size_t got = 0;
	while (chan_flush(&from) == -EAGAIN) {
		CHECK(chan_pending(&from));
		CHECK(chan_fill(&to) == 0); /* something was sent */
		CHECK(chan_head(&to, &h) == 0 && h.first == 1);
		size_t k = chan_buffered(&to);
		k = k > N - got ? N - got : k; /* the next one has begun */
		size_t want = got + k;
		CHECK(chan_pull(&to, bytes, want, &got) == 0 && got == want);
		rounds++;
	}
	CHECK(rounds > 20);
	while (got < N)
		CHECK(chan_pull(&to, bytes, N, &got) == 0);
	check_bytes(bytes, 0, N, 1);
	CHECK(chan_finish(&to) == 0);
	head(2);
	payload(50, 2);
	nothing_left();
	free(bytes);
	tear_down();
}

/* Blobs and bytes in the order they were written in, whatever their sizes. */
static void blobs_in_order(void)
{
	enum { BIG = 40000, SMALL = 100, HUGE = 400000 };
	set_up();
	interrupt_waits(true);
	struct blob *big = new_blob(1, BIG, 1);
	struct blob *small = new_blob(2, SMALL, 2);
	struct blob *huge = new_blob(3, HUGE, 3);
	static const char order[] = "bsohoobbshos";
	for (const char *o = order; *o; o++) {
		if (*o == 'o')
			write_message(4, 10, 4);
		else
			CHECK(chan_queue(&from, *o == 'b'   ? big
						: *o == 's' ? small
							    : huge) == 0);
	}
	CHECK(small->refs == 1); /* copied */
	CHECK(big->refs == 4 && huge->refs == 3);
	for (const char *o = order; *o; o++) {
		head(*o == 'b' ? 1 : *o == 's' ? 2 : *o == 'h' ? 3 : 4);
		payload(*o == 'b'   ? BIG
			: *o == 's' ? SMALL
			: *o == 'h' ? HUGE
				    : 10,
			*o == 'b'   ? 1
			: *o == 's' ? 2
			: *o == 'h' ? 3
				    : 4);
	}
	nothing_left();
	CHECK(big->refs == 1 && huge->refs == 1);
	/* Bytes half of which are sent, then a blob. */
	write_message(5, HUGE, 5);
	CHECK(chan_flush(&from) == -EAGAIN);
	CHECK(chan_queue(&from, big) == 0);
	CHECK(chan_flush(&from) == -EAGAIN);
	write_message(6, 1, 6);
	head(5);
	payload(HUGE, 5);
	head(1);
	payload(BIG, 1);
	head(6);
	payload(1, 6);
	nothing_left();
	/* Half sent, and dropped. */
	CHECK(chan_queue(&from, huge) == 0 && chan_queue(&from, big) == 0);
	CHECK(chan_flush(&from) == -EAGAIN);
	CHECK(huge->refs == 2 && big->refs == 2);
	tear_down();
	CHECK(huge->refs == 1 && big->refs == 1);
	interrupt_waits(false);
	blob_unref(big);
	blob_unref(small);
	blob_unref(huge);
}

/* A message is sent while it is written, and memory stays bounded. */
static void backlog(void)
{
	enum { PIECE = 100000, N = 80 * PIECE };
	set_up();
	unsigned char *bytes = malloc(N);
	CHECK(bytes);
	make(bytes, 0, N, 3);
	struct wire_head h = numbered(1);
	write_message(0, 5, 5);
	CHECK(chan_begin(&from, &h) == 0);
	size_t read = 0;
	unsigned char *got = malloc(N);
	CHECK(got);
	bool begun = false;
	double waited = 0;
	for (size_t at = 0; at < N; at += PIECE) {
		CHECK(chan_put(&from, bytes + at, PIECE) == 0);
		CHECK(from.out.len - from.out_at <= CHAN_CHUNK + PIECE + 1000);
		if (!chan_backlog(&from))
			continue;
		double t = test_now();
		CHECK(chan_relieve(&from) == -EAGAIN); /* nobody reads */
		waited = test_now() - t;
		CHECK(begun || (waited > 0.09 && waited < 5)); /* a slice */
		interrupt_waits(true);
		while (chan_relieve(&from) == -EAGAIN) {
			if (!begun) {
				head(0);
				payload(5, 5);
				head(1);
				begun = true;
			}
			size_t k = chan_buffered(&to);
			k = k > N - read ? N - read : k;
			if (k > 0) {
				size_t want = read + k - k / 8;
				int rc = chan_pull(&to, got, want, &read);
				CHECK(rc == 0 || rc == -EAGAIN);
			}
			int rc = chan_fill(&to);
			CHECK(rc == 0 || rc == -EAGAIN);
		}
	}
	CHECK(begun && waited > 0);
	chan_end(&from);
	int rc;
	while ((rc = chan_pull(&to, got, N, &read)) == -EAGAIN)
		(void)chan_flush(&from);
	CHECK(rc == 0 && memcmp(bytes, got, N) == 0);
	CHECK(chan_pull(&to, got, N + 1, &read) == -ENODATA);
	CHECK(chan_finish(&to) == 0);
	nothing_left();
	interrupt_waits(false);
	free(bytes);
	free(got);
	tear_down();
}

/* The same between two processes, with blobs around it. */
static void between_processes(void)
{
	enum { N = 24 << 20 };
	set_up();
	struct blob *blob = new_blob(1, 300000, 1);
	unsigned char piece[8192];
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct wire_head h = numbered(2);
		io_close(&to.link.fd);
		CHECK(chan_queue(&from, blob) == 0);
		CHECK(chan_begin(&from, &h) == 0);
		for (size_t at = 0; at < N; at += sizeof(piece)) {
			make(piece, at, sizeof(piece), 2);
			CHECK(chan_put(&from, piece, sizeof(piece)) == 0);
			if (!chan_backlog(&from))
				continue;
			int rc;
			while ((rc = chan_relieve(&from)) == -EAGAIN)
				;
			CHECK(rc == 0);
		}
		chan_end(&from);
		CHECK(chan_queue(&from, blob) == 0);
		int rc;
		while ((rc = chan_relieve(&from)) == -EAGAIN)
			;
		CHECK(rc == 0);
		_exit(0);
	}
	io_close(&from.link.fd);
	static unsigned char got[N];
	struct wire_head h;
	for (int m = 1; m <= 3; m++) {
		int rc;
		while ((rc = chan_head(&to, &h)) == -EAGAIN) {
			CHECK(link_wait(&to.link, LINK_NONE, 10000) == 1);
			int filled = chan_fill(&to);
			/* A wake-up may be an old one. */
			CHECK(filled == 0 || (shares && filled == -EAGAIN));
		}
		CHECK(rc == 0 && h.first == (m == 2 ? 2 : 1));
		size_t n = m == 2 ? N : 300000, at = 0;
		while (at < n) {
			size_t want = at + 1 + test_below(at / 2 + 100);
			want = want > n ? n : want;
			rc = chan_pull(&to, got, want, &at);
			CHECK(rc == 0 || rc == -EAGAIN);
		}
		check_bytes(got, 0, n, m == 2 ? 2 : 1);
		CHECK(chan_pull(&to, got, n + 1, &at) == -ENODATA);
		CHECK(chan_finish(&to) == 0);
	}
	test_wait_ok(pid);
	blob_unref(blob);
	tear_down();
}

/* ---- what goes wrong ---- */

/* Given up after part of it was sent: waiting for room, or gone on. */
static void aborted(void)
{
	enum { N = 1500000 };
	unsigned char *bytes = malloc(N);
	CHECK(bytes);
	make(bytes, 0, N, 1);
	interrupt_waits(true);
	for (int way = 0; way < 6; way++) {
		set_up();
		struct wire_head h = numbered(1);
		CHECK(chan_begin(&from, &h) == 0);
		CHECK(chan_put(&from, bytes, N) == 0);
		CHECK(chan_relieve(&from) == -EAGAIN); /* part is sent */
		struct wire_head front;
		CHECK(chan_fill(&to) == 0);
		CHECK(chan_head(&to, &front) == 0 && !chan_whole(&to));
		size_t got = 0, sent = N;
		unsigned char *read = malloc(N + 100);
		CHECK(read);
		if (way / 2 == 1) { /* it goes on, then fails */
			while (chan_relieve(&from) == -EAGAIN)
				(void)chan_pull(&to, read, N, &got);
			CHECK(chan_put(&from, bytes, 100) == 0);
		} else if (way / 2 == 2) { /* all is sent, then it fails */
			while (chan_relieve(&from) == -EAGAIN)
				(void)chan_pull(&to, read, N, &got);
		}
		CHECK(chan_give_up(&from) == 0);
		write_message(2, 30, 2);
		int rc = 0;
		if (way % 2 == 0) {
			while ((rc = chan_pull(&to, read, N + 1, &got)) ==
			       -EAGAIN)
				(void)chan_flush(&from);
			CHECK(rc == -ECANCELED && got == sent);
			CHECK(memcmp(read, bytes, sent) == 0);
			CHECK(chan_pull(&to, read, N + 1, &got) == -ECANCELED);
		}
		while ((rc = chan_finish(&to)) == -EAGAIN)
			(void)chan_flush(&from);
		CHECK(rc == 0);
		head(2);
		payload(30, 2);
		nothing_left();
		free(read);
		tear_down();
	}
	interrupt_waits(false);
	free(bytes);
}

static void ends_early(void)
{
	struct blob *s = new_blob(1, 100, 1);
	for (size_t n = 0; n <= s->buf.len; n++) {
		set_up();
		CHECK(n == 0 || link_send(&from.link, s->buf.bytes, n) > 0);
		io_close(&from.link.fd);
		struct wire_head h;
		unsigned char got[200];
		size_t at = 0;
		int rc = n > 0 ? chan_fill(&to) : 0;
		CHECK(rc == 0);
		CHECK(chan_fill(&to) == -EPIPE);
		bool front = n >= WIRE_HEAD + WIRE_WORD;
		bool whole = n == s->buf.len;
		CHECK(chan_head(&to, &h) == (front ? 0 : -EAGAIN));
		CHECK(chan_whole(&to) == whole);
		if (front && n % 2 == 0) {
			rc = chan_pull(&to, got, 100, &at);
			CHECK(rc == (whole ? 0 : -EPIPE));
			CHECK(at == n - WIRE_HEAD - WIRE_WORD);
			check_bytes(got, 0, at, 1);
		}
		CHECK(chan_finish(&to) == (front && !whole ? -EPIPE : 0));
		tear_down();
	}
	blob_unref(s);
}

/* No signal, and no end of errors. */
static void peer_gone(void)
{
	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	set_up();
	io_close(&to.link.fd);
	write_message(1, 2000000, 1);
	CHECK(chan_flush(&from) == -EPIPE);
	CHECK(chan_relieve(&from) == -EPIPE);
	struct wire_head h = numbered(2);
	CHECK(chan_begin(&from, &h) == 0);
	CHECK(chan_relieve(&from) == -EPIPE);
	CHECK(chan_give_up(&from) == 0);
	CHECK(chan_flush(&from) == -EPIPE);
	CHECK(chan_fill(&from) == -EPIPE);
	tear_down();
	set_up();
	io_close(&to.link.fd);
	/* Descriptors travel without memory only. */
	CHECK(chan_say_fd(&from, &h, 0) == (shares ? -EINVAL : -EPIPE));
	CHECK(!chan_pending(&from));
	tear_down();
}

/* Memory that is full does not say why; who waits for room is told. */
static void peer_gone_later(void)
{
	set_up();
	write_message(0, 10, 0);
	head(0);
	payload(10, 0);
	io_close(&to.link.fd);
	write_message(1, 2000000, 1);
	int rc = chan_flush(&from);
	CHECK(rc == -EPIPE || (shares && rc == -EAGAIN));
	CHECK(chan_relieve(&from) == -EPIPE);
	CHECK(chan_relieve(&from) == -EPIPE);
	CHECK(chan_fill(&from) == -EPIPE);
	tear_down();
}

/* Where nobody sends, reading comes back after a slice. */
static void waits_a_slice(void)
{
	set_up();
	struct blob *s = new_blob(1, 100, 1);
	CHECK(link_send(&from.link, s->buf.bytes, 90) == 90);
	CHECK(chan_fill(&to) == 0);
	head(1);
	unsigned char got[100];
	size_t at = 0;
	double t = test_now();
	CHECK(chan_pull(&to, got, 100, &at) == -EAGAIN && at == 50);
	CHECK(test_now() - t > 0.09 && test_now() - t < 5);
	CHECK(chan_finish(&to) == -EAGAIN);
	CHECK(link_send(&from.link, s->buf.bytes + 90, 50) == 50);
	CHECK(chan_pull(&to, got, 100, &at) == 0 && at == 100);
	check_bytes(got, 0, 100, 1);
	CHECK(chan_finish(&to) == 0);
	blob_unref(s);
	tear_down();
}

/* ---- descriptors ---- */

/* The other end of a pipe whose reading end is `in`. */
static int pipe_to(int *in)
{
	int p[2];
	CHECK(pipe(p) == 0);
	*in = p[0];
	return p[1];
}

static void passes_descriptors(void)
{
	set_up();
	to.link.passing = LINK_ONE;
	int before = test_descriptors(getpid());
	int in[3];
	/* A plain message before each; one that carries a descriptor is never
	 * read together with what comes after it. */
	for (int i = 0; i < 3; i++) {
		struct wire_head plain = numbered(10),
				 h = numbered((unsigned)i);
		CHECK(chan_say(&from, &plain) == 0);
		CHECK(chan_say_fd(&from, &h, 0) == -EAGAIN);
		CHECK(chan_flush(&from) == 0);
		int out = pipe_to(&in[i]);
		CHECK(chan_say_fd(&from, &h, out) == 0);
		CHECK(!chan_pending(&from));
		CHECK(close(out) == 0); /* ours: the message has its own */
	}
	for (unsigned i = 0; i < 3; i++) {
		struct wire_head h;
		CHECK(chan_fill(&to) == 0);
		CHECK(chan_head(&to, &h) == 0 && h.first == 10);
		CHECK(chan_finish(&to) == 0);
		CHECK(chan_head(&to, &h) == 0 && h.first == i);
		int passed = chan_take_fd(&to);
		CHECK(passed >= 0 && chan_take_fd(&to) == -1);
		CHECK(chan_finish(&to) == 0);
		CHECK(chan_head(&to, &h) == -EAGAIN);
		CHECK(fcntl(passed, F_GETFD) == FD_CLOEXEC);
		char c = (char)('a' + i), back = 0;
		CHECK(write(passed, &c, 1) == 1);
		CHECK(read(in[i], &back, 1) == 1 && back == c);
		CHECK(close(passed) == 0);
		CHECK(read(in[i], &back, 1) == 0); /* the only copy */
		CHECK(close(in[i]) == 0);
	}
	struct wire_head h = numbered(4);
	CHECK(chan_say(&from, &h) == 0 && chan_flush(&from) == 0);
	CHECK(chan_fill(&to) == 0 && chan_take_fd(&to) == -1);
	CHECK(chan_fill(&to) == -EAGAIN && chan_take_fd(&to) == -1);
	head(4);
	payload(0, 0);
	/* Nobody takes it, or is meant to: it must not stay open. */
	for (int i = 0; i < 3; i++) {
		int out = pipe_to(&in[i]);
		to.link.passing = i < 2 ? LINK_ONE : LINK_NOTHING;
		CHECK(chan_say_fd(&from, &h, out) == 0);
		CHECK(close(out) == 0);
		head(4);
		payload(0, 0);
	}
	CHECK(io_wait(in[1], POLLIN, 0) == 0); /* it might still be taken */
	chan_release(&to);
	for (int i = 0; i < 3; i++) {
		char c;
		CHECK(read(in[i], &c, 1) == 0);
		CHECK(close(in[i]) == 0);
	}
	CHECK(test_descriptors(getpid()) == before - 1); /* `to` */
	tear_down();
}

/* ---- descriptors with memory ---- */

static struct wire_head with(uint64_t first, size_t n)
{
	struct wire_head h = numbered(first);
	h.flags = (uint16_t)(n * WIRE_PASSED);
	return h;
}

/* A message with as many copies of one descriptor. */
static struct blob *blob_with(uint64_t first, int fd, size_t n)
{
	struct blob *s = new_blob(first, 10, first);
	struct wire_head h = with(first, n);
	wire_pack(&h, s->buf.bytes);
	for (size_t i = 0; i < n; i++) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		CHECK(copy >= 0 && blob_attach(s, copy) == 0);
	}
	return s;
}

/* With a socket that holds all that can be passed. */
static void set_up_roomy(void)
{
	set_up();
	int large = 200000;
	CHECK(setsockopt(from.link.fd, SOL_SOCKET, SO_SNDBUF, &large,
			 sizeof(large)) == 0);
}

static bool is_any(int fd, const void *of)
{
	(void)of;
	return fd >= 0;
}

/* Of the message in front: all its descriptors work, in order. Their files are
 * pipes, which are written to. */
static void use_all(size_t n)
{
	CHECK(wire_passed(&to.head) == n);
	for (size_t k = 0; k < n; k++) {
		int fd = link_claim(&to.link, n, is_any, NULL);
		CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
		CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
	}
	CHECK(link_claim(&to.link, n, is_any, NULL) == -ENOENT);
}

/* So many were written, and nobody can write more; or somebody can. */
static void check_uses(int in, ssize_t n, bool open)
{
	char some[1000];
	if (n > 0)
		CHECK(read(in, some, sizeof(some)) == n);
	CHECK(io_wait(in, POLLIN, 0) == !open);
	CHECK(open || read(in, some, 1) == 0);
}

static size_t attach(int fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK(chan_attach(&from, fcntl(fd, F_DUPFD_CLOEXEC, 3)) == 0);
	return n;
}

/* They are there when their message is, in order, however small it is; and the
 * last owner closes them. */
static void blobs_with_descriptors(void)
{
	int in, out = pipe_to(&in);
	set_up();
	struct blob *s = blob_with(1, out, 2);
	CHECK(close(out) == 0);
	CHECK(chan_wants(&from) == LINK_NONE);
	for (uint64_t i = 0; i < 3; i++) {
		CHECK(chan_queue(&from, s) == 0);
		write_message(2, 10, 2);
	}
	CHECK(s->refs == 4 && chan_wants(&from) == LINK_PASS);
	for (uint64_t i = 0; i < 3; i++) {
		head(1);
		use_all(2);
		payload(10, 1);
		head(2);
		use_all(0);
		payload(10, 2);
	}
	nothing_left();
	CHECK(chan_wants(&from) == LINK_NONE && s->refs == 1);
	CHECK(link_credit(&from.link) == LINK_CREDIT);
	CHECK(link_claim(&to.link, LINK_CREDIT, is_any, NULL) == -ENOENT);
	check_uses(in, 6, true);
	blob_unref(s);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* More than can be on the way: not a byte of a message comes before its
 * descriptors, and these wait for those before them to be done with, read or
 * not; over a socket that takes them all, or not. */
static void passes_when_there_is_credit(bool roomy)
{
	enum { N = 60, BLOBS = 7 };
	int in, out = pipe_to(&in);
	if (roomy)
		set_up_roomy();
	else
		set_up();
	struct blob *s = blob_with(1, out, N);
	CHECK(close(out) == 0);
	write_message(0, 10, 0);
	for (int i = 0; i < BLOBS; i++)
		CHECK(chan_queue(&from, s) == 0);
	CHECK(chan_flush(&from) == -EAGAIN && chan_wants(&from) == LINK_PASS);
	CHECK(from.queue_passed > 0 && from.queue_passed < N);
	CHECK(!roomy || from.queue_passed == LINK_CREDIT - 2 * N);
	head(0);
	payload(10, 0);
	struct wire_head h;
	ssize_t used = 0;
	for (int i = 0; i < BLOBS; i++) {
		head(1);
		for (int k = 0; k < 10; k++) {
			(void)chan_flush(&from);
			(void)chan_fill(&to);
		}
		/* It takes no more than that, and says so. */
		size_t passed = from.queue_passed;
		for (int k = 0; k < 3; k++) {
			CHECK(!chan_pending(&from) ||
			      chan_flush(&from) == -EAGAIN);
			CHECK(from.queue_passed == passed);
			CHECK(chan_fill(&to) == -EAGAIN);
		}
		CHECK((link_credit(&from.link) == 0) == (i < BLOBS - 2));
		if (i % 3 == 0) {
			use_all(N);
			used += N;
			payload(10, 1);
		} else {
			CHECK(chan_finish(&to) == 0);
		}
	}
	CHECK(chan_head(&to, &h) == -EAGAIN);
	nothing_left();
	CHECK(link_credit(&from.link) == LINK_CREDIT);
	check_uses(in, used, true);
	blob_unref(s);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* Who waits for credit, or for the socket, sleeps. */
static void waits_to_pass(bool roomy)
{
	if (roomy)
		set_up_roomy();
	else
		set_up();
	struct blob *s = blob_with(1, 0, 64);
	for (int i = 0; i < 4; i++)
		CHECK(chan_queue(&from, s) == 0);
	double t = test_now();
	int times = 0;
	while (test_now() - t < 0.25) {
		CHECK(chan_relieve(&from) == -EAGAIN); /* nobody reads */
		times++;
	}
	CHECK(times < 20);
	blob_unref(s);
	tear_down();
}

/* Another process reads, now and then: it goes on. */
static void passes_between_processes(void)
{
	enum { BLOBS = 300 };
	int in, out = pipe_to(&in);
	set_up_roomy();
	struct blob *s = blob_with(1, out, 50);
	CHECK(close(out) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int rc;
		io_close(&to.link.fd);
		for (int i = 0; i < BLOBS; i++)
			CHECK(chan_queue(&from, s) == 0);
		double limit = test_now() + 20;
		while ((rc = chan_relieve(&from)) == -EAGAIN)
			CHECK(test_now() < limit);
		CHECK(rc == 0);
		_exit(0);
	}
	io_close(&from.link.fd);
	blob_unref(s);
	struct wire_head h;
	for (int i = 0; i < BLOBS; i++) {
		int rc;
		while ((rc = chan_head(&to, &h)) == -EAGAIN) {
			CHECK(link_wait(&to.link, LINK_NONE, 10000) == 1);
			rc = chan_fill(&to);
			CHECK(rc == 0 || rc == -EAGAIN);
		}
		CHECK(rc == 0 && h.first == 1);
		use_all(50);
		payload(10, 1);
		char some[50];
		CHECK(read(in, some, 50) == 50);
		if (test_below(20) == 0)
			test_sleep(0.01);
	}
	test_wait_ok(pid);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* Dropped unread, whole, half read, or in the middle of being written. */
static void dropped_unread(void)
{
	static const size_t sizes[] = {0, 10, 100000, 700000};
	int in, out = pipe_to(&in);
	set_up_roomy();
	interrupt_waits(true);
	for (size_t i = 0; i < 12; i++) {
		size_t n = sizes[i % 4];
		struct wire_head h = numbered(i);
		unsigned char *bytes = calloc(n + 1, 1);
		CHECK(bytes);
		for (size_t k = 0; k < 5; k++)
			(void)attach(out, 1);
		CHECK(chan_begin_with(&from, &h) == 0);
		CHECK(chan_put(&from, bytes, n) == 0);
		chan_end(&from);
		write_message(100, 3, 1);
		head(i);
		CHECK(link_credit(&from.link) == LINK_CREDIT - 5);
		size_t got = 0;
		if (i / 4 == 1 && n > 0)
			CHECK(chan_pull(&to, bytes, 1, &got) == 0);
		if (i / 4 == 2)
			CHECK(close(link_claim(&to.link, 5, is_any, NULL)) ==
			      0);
		int rc;
		while ((rc = chan_finish(&to)) == -EAGAIN) {
			CHECK(link_credit(&from.link) == LINK_CREDIT - 5);
			(void)chan_flush(&from);
		}
		CHECK(rc == 0 && link_credit(&from.link) == LINK_CREDIT);
		head(100);
		use_all(0);
		payload(3, 1);
		nothing_left();
		free(bytes);
	}
	interrupt_waits(false);
	CHECK(close(out) == 0);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* Descriptors that are known before their message is. */
static void attached(void)
{
	int in, out = pipe_to(&in);
	set_up_roomy();
	struct wire_head h = numbered(1);
	CHECK(chan_credit(&from) == WIRE_MOST_PASSED);
	/* None: a message as any other. */
	CHECK(chan_begin_with(&from, &h) == 0);
	CHECK(chan_put(&from, (unsigned char[]){byte_at(0, 1)}, 1) == 0);
	chan_end(&from);
	head(1);
	use_all(0);
	payload(1, 1);
	/* Theirs go ahead of its bytes; what is written before and after has
	 * none. */
	write_message(2, 10, 2);
	(void)attach(out, 3);
	CHECK(link_credit(&from.link) == LINK_CREDIT);
	CHECK(chan_begin_with(&from, &h) == 0);
	CHECK(link_credit(&from.link) == LINK_CREDIT - 3);
	chan_end(&from);
	write_message(2, 10, 2);
	(void)attach(out, WIRE_MOST_PASSED);
	CHECK(chan_begin_with(&from, &h) == 0);
	chan_end(&from);
	CHECK(chan_credit(&from) == LINK_CREDIT - 3 - WIRE_MOST_PASSED);
	for (int i = 0; i < 2; i++) {
		head(2);
		use_all(0);
		payload(10, 2);
		head(1);
		use_all(i == 0 ? 3 : WIRE_MOST_PASSED);
		payload(0, 0);
	}
	nothing_left();
	check_uses(in, 3 + WIRE_MOST_PASSED, true);
	/* They are left out, on purpose, by another message, or for good. */
	(void)attach(out, 3);
	chan_detach(&from);
	chan_detach(&from);
	CHECK(chan_begin_with(&from, &h) == 0);
	chan_end(&from);
	(void)attach(out, 3);
	CHECK(chan_begin(&from, &h) == 0);
	chan_end(&from);
	CHECK(chan_begin_with(&from, &h) == 0);
	chan_end(&from);
	for (int i = 0; i < 3; i++) {
		head(1);
		use_all(0);
		payload(0, 0);
	}
	CHECK(link_credit(&from.link) == LINK_CREDIT);
	(void)attach(out, 3);
	CHECK(close(out) == 0);
	CHECK(io_wait(in, POLLIN, 0) == 0);
	tear_down();
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
}

/* Those of a blob that waits come first: none can be passed until then. Those
 * of a message that waits have been passed. */
static void in_order_of_messages(void)
{
	int in[2], out[2] = {pipe_to(&in[0]), pipe_to(&in[1])};
	set_up_roomy();
	struct blob *s = blob_with(1, out[0], 2);
	struct wire_head h = numbered(2);
	for (int round = 0; round < 3; round++) {
		(void)attach(out[1], 3);
		CHECK(chan_begin_with(&from, &h) == 0);
		chan_end(&from);
		CHECK(chan_credit(&from) > 0);
		CHECK(chan_queue(&from, s) == 0);
		CHECK(chan_credit(&from) == 0);
		CHECK(chan_flush(&from) == 0);
		CHECK(chan_credit(&from) > 0);
		(void)attach(out[1], 1);
		CHECK(chan_begin_with(&from, &h) == 0);
		chan_end(&from);
		head(2);
		use_all(3);
		payload(0, 0);
		check_uses(in[1], 3, true);
		head(1);
		use_all(2);
		payload(10, 1);
		check_uses(in[0], 2, true);
		head(2);
		use_all(1);
		payload(0, 0);
		check_uses(in[1], 1, true);
	}
	nothing_left();
	blob_unref(s);
	CHECK(link_credit(&from.link) == LINK_CREDIT);
	for (int i = 0; i < 2; i++) {
		CHECK(close(out[i]) == 0);
		check_uses(in[i], 0, false);
		CHECK(close(in[i]) == 0);
	}
	tear_down();
}

/* A message that was given up, of which there are only its descriptors. */
static void check_given_up(uint64_t first, size_t n, size_t credit)
{
	unsigned char c;
	size_t got = 0;
	head(first);
	CHECK(wire_passed(&to.head) == n);
	CHECK(link_credit(&from.link) == credit);
	CHECK(chan_pull(&to, &c, 1, &got) == -ECANCELED && got == 0);
	CHECK(chan_finish(&to) == 0);
	CHECK(link_credit(&from.link) == credit + n);
}

/* Not all can be passed: those that were go with a message that was given up,
 * and all else goes on. */
static void not_all_passed(void)
{
	int in, out = pipe_to(&in);
	set_up_roomy();
	struct blob *s = blob_with(1, out, 62);
	struct wire_head h = numbered(2);
	for (size_t left = 1; left < 5; left++) {
		for (int i = 0; i < 2; i++)
			CHECK(chan_queue(&from, s) == 0);
		CHECK(chan_flush(&from) == 0);
		CHECK(chan_credit(&from) == 4);
		(void)attach(out, 4 - left);
		CHECK(chan_begin_with(&from, &h) == 0);
		CHECK(chan_put(&from, (unsigned char[]){byte_at(0, 2)}, 1) ==
		      0);
		chan_end(&from);
		CHECK(chan_credit(&from) == left);
		(void)attach(out, left + 2);
		h.first = 3;
		CHECK(chan_begin_with(&from, &h) == -EAGAIN);
		CHECK(chan_credit(&from) == 0 && !from.writing.open);
		/* They are not attached any more; nor would any go. */
		CHECK(chan_begin_with(&from, &h) == 0);
		chan_end(&from);
		(void)attach(out, 1);
		size_t written = from.out.len;
		CHECK(chan_begin_with(&from, &h) == -EAGAIN);
		CHECK(from.out.len == written);
		write_message(4, 10, 4);
		for (int i = 0; i < 2; i++) {
			head(1);
			use_all(62);
			payload(10, 1);
		}
		check_uses(in, 124, true);
		h.first = 2;
		head(2);
		use_all(4 - left);
		payload(1, 2);
		if (left < 4)
			check_uses(in, (ssize_t)(4 - left), true);
		check_given_up(3, left, LINK_CREDIT - left);
		head(3);
		use_all(0);
		payload(0, 0);
		head(4);
		use_all(0);
		payload(10, 4);
		nothing_left();
	}
	blob_unref(s);
	CHECK(close(out) == 0);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* Given up, or left behind by an error, after its descriptors had been passed;
 * with part of it sent, too. */
static void given_up_with_descriptors(void)
{
	enum { N = 600000 };
	int in, out = pipe_to(&in);
	struct wire_head h = numbered(1);
	unsigned char *bytes = malloc(N);
	CHECK(bytes);
	make(bytes, 0, N, 1);
	set_up_roomy();
	interrupt_waits(true);
	for (int way = 0; way < 6; way++) {
		bool sent = way % 2;
		h.first = 1;
		(void)attach(out, 4);
		CHECK(chan_begin_with(&from, &h) == 0 && from.writing.stays);
		CHECK(chan_put(&from, bytes, sent ? N : 100) == 0);
		if (sent)
			CHECK(chan_relieve(&from) == -EAGAIN);
		if (way / 2 == 0) {
			CHECK(chan_give_up(&from) == 0);
			CHECK(chan_give_up(&from) == 0);
			write_message(2, 10, 2);
		} else if (way / 2 == 1) {
			write_message(2, 10, 2);
		} else {
			h.first = 2;
			(void)attach(out, 2);
			CHECK(chan_begin_with(&from, &h) == 0);
			make(bytes, 0, 10, 2);
			CHECK(chan_put(&from, bytes, 10) == 0);
			chan_end(&from);
			make(bytes, 0, 10, 1);
		}
		size_t more = way / 2 == 2 ? 2 : 0;
		if (sent) {
			int rc;
			head(1);
			CHECK(wire_passed(&to.head) == 4);
			while ((rc = chan_finish(&to)) == -EAGAIN)
				(void)chan_flush(&from);
			CHECK(rc == 0);
			CHECK(link_credit(&from.link) == LINK_CREDIT - more);
		} else {
			check_given_up(1, 4, LINK_CREDIT - 4 - more);
		}
		head(2);
		use_all(more);
		payload(10, 2);
		check_uses(in, (ssize_t)more, true);
		nothing_left();
		CHECK(link_credit(&from.link) == LINK_CREDIT);
	}
	interrupt_waits(false);
	free(bytes);
	CHECK(close(out) == 0);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	tear_down();
}

/* A link without rings has no credit, whatever is attached. */
static void attached_without_rings(void)
{
	int in, out = pipe_to(&in);
	struct wire_head h = numbered(1);
	set_up();
	CHECK(chan_credit(&from) == 0);
	(void)attach(out, 2);
	CHECK(close(out) == 0);
	CHECK(chan_begin_with(&from, &h) == -EINVAL);
	CHECK(!chan_pending(&from) && !from.writing.open);
	check_uses(in, 0, false);
	CHECK(close(in) == 0);
	CHECK(chan_begin_with(&from, &h) == 0);
	chan_end(&from);
	head(1);
	payload(0, 0);
	nothing_left();
	tear_down();
}

/* What no peer of ours sends is that however often it is looked at. */
static void stays_wrong(void)
{
	const struct wire_head h = numbered(1);
	const uint32_t word = WIRE_FRAGMENT + 1;
	unsigned char bytes[WIRE_HEAD + WIRE_WORD];
	struct wire_head got;
	set_up();
	wire_pack(&h, bytes);
	memcpy(bytes + WIRE_HEAD, &word, WIRE_WORD);
	CHECK(link_send(&from.link, bytes, sizeof(bytes)) == sizeof(bytes));
	CHECK(chan_fill(&to) == 0);
	CHECK(chan_head(&to, &got) == -EPROTO);
	CHECK(chan_head(&to, &got) == -EPROTO);
	tear_down();
}

static void over_any_link(void)
{
	said();
	by_the_byte();
	taken_back();
	left_unread();
	partial_sends();
	blobs_in_order();
	backlog();
	between_processes();
	aborted();
	ends_early();
	peer_gone();
	peer_gone_later();
	waits_a_slice();
	stays_wrong();
}

int main(void)
{
	int before = test_descriptors(getpid());
	over_any_link();
	passes_descriptors();
	attached_without_rings();
	shares = true;
	over_any_link();
	blobs_with_descriptors();
	passes_when_there_is_credit(true);
	passes_when_there_is_credit(false);
	waits_to_pass(true);
	waits_to_pass(false);
	passes_between_processes();
	dropped_unread();
	attached();
	in_order_of_messages();
	not_all_passed();
	given_up_with_descriptors();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
