/*
 * Segments: what is put into one is what is read, they are used again when
 * nobody else has them and never before, and what is kept has its limits.
 */
#include "store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "io.h"
#include "test.h"

enum { SIZE = 3 * 4096 + 123, PLENTY = 1 << 30 }; /* no whole pages */

static unsigned char byte_at(size_t i, size_t what)
{
	return (unsigned char)(i * 7 + i / 256 + what * 13);
}

static void check_bytes(const unsigned char *bytes, size_t n, size_t what)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(i, what))
			CHECK(!"the bytes that were put");
}

static int put(struct store *s, size_t n, size_t what, uint64_t *id)
{
	int fd = -1;
	unsigned char *bytes = malloc(n);
	CHECK(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(i, what);
	CHECK(store_put(s, bytes, n, &fd, id) == 0 && fd >= 0);
	free(bytes);
	CHECK(s->n <= STORE_KEEPS && s->bytes <= s->most);
	return fd;
}

/* Put, and at once nobody's: the segment it went to. */
static uint64_t touch(struct store *s, size_t n, size_t what)
{
	uint64_t id;
	CHECK(close(put(s, n, what, &id)) == 0);
	return id;
}

static void check_content(int fd, size_t n, size_t what)
{
	unsigned char *bytes = malloc(n);
	CHECK(bytes && pread(fd, bytes, n, 0) == (ssize_t)n);
	check_bytes(bytes, n, what);
	free(bytes);
}

static unsigned char *map(int fd, size_t n)
{
	void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED);
	return at;
}

/* ---- one ---- */

/* To be read, mapped, and known by others; not to be written to. */
static void content(void)
{
	static const size_t sizes[] = {1, 4096, SIZE, 5000000};
	for (size_t i = 0; i < 4; i++) {
		size_t n = sizes[i];
		struct store s;
		uint64_t id, other, it = 0;
		store_init(&s, PLENTY);
		int fd = put(&s, n, i, &id);
		CHECK(s.n == 1 && s.bytes == n);
		check_content(fd, n, i);
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		CHECK(write(fd, "x", 1) < 0);
		CHECK(mmap(NULL, n, PROT_WRITE, MAP_SHARED, fd, 0) ==
		      MAP_FAILED);
		CHECK(store_id(fd, &it) == 0 && it == id && store_is(fd, &id));
		int second = put(&s, n, 9, &other);
		CHECK(other != id);
		CHECK(!store_is(second, &id) && !store_is(fd, &other));
		CHECK(store_is(second, &other));
		check_content(fd, n, i);
		check_content(second, n, 9);
		/* As the receiver does it; what it writes is its own. */
		struct shm m;
		CHECK(shm_adopt(&m, fd) == 0 && m.size == n);
		CHECK(shm_map(&m, SHM_COPIED) == 0);
		check_bytes(m.at, n, i);
		m.at[0] ^= 1;
		check_content(m.fd, n, i);
		shm_release(&m);
		CHECK(close(second) == 0);
		store_release(&s);
		CHECK(s.n == 0 && s.bytes == 0);
	}
	/* No segment: known by nothing. */
	uint64_t id = 1;
	CHECK(store_id(-1, &id) == -EBADF && !store_is(-1, &id));
}

/* The same memory again, for what needs no less than half of it. */
static void used_again(void)
{
	struct store s;
	store_init(&s, PLENTY);
	uint64_t id = touch(&s, SIZE, 0);
	static const size_t fits[] = {SIZE, SIZE - 1, SIZE / 2, SIZE};
	for (size_t i = 0; i < 4; i++) {
		uint64_t again;
		int fd = put(&s, fits[i], i + 1, &again);
		CHECK(again == id && s.n == 1 && s.bytes == SIZE);
		check_content(fd, fits[i], i + 1);
		CHECK(close(fd) == 0);
	}
	uint64_t larger = touch(&s, SIZE + 1, 1);
	uint64_t small = touch(&s, SIZE / 2 - 1, 2);
	CHECK(larger != id && small != id && small != larger && s.n == 3);
	CHECK(touch(&s, SIZE + 1, 3) == larger);
	CHECK(touch(&s, SIZE / 2 - 1, 4) == small);
	CHECK(touch(&s, SIZE, 5) == id && s.n == 3);
	store_release(&s);
	store_release(&s); /* once more is harmless */
}

/* ---- never while somebody has it ---- */

/* While it is held: another one, and its content is left alone. The first that
 * nobody has is taken, so that it would be this one. */
static void check_held(struct store *s, uint64_t id)
{
	for (size_t i = 0; i < 3; i++)
		CHECK(touch(s, SIZE, 50 + i) != id);
}

static void check_free(struct store *s, uint64_t id)
{
	CHECK(touch(s, SIZE, 60) == id);
}

static void open_somewhere(struct store *s)
{
	uint64_t id;
	int fd = put(s, SIZE, 1, &id);
	check_held(s, id);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	CHECK(copy >= 0 && close(fd) == 0);
	check_held(s, id);
	check_content(copy, SIZE, 1);
	CHECK(close(copy) == 0);
	check_free(s, id);
}

/* In a message, which is then received, or never will be. */
static void in_flight(struct store *s)
{
	for (int received = 0; received < 2; received++) {
		uint64_t id;
		int end[2], fd = put(s, SIZE, 2, &id);
		char c;
		CHECK(io_pair(end) == 0);
		CHECK(io_send_fd(end[0], "a", 1, fd) == 1 && close(fd) == 0);
		check_held(s, id);
		if (received) {
			CHECK(io_recv_fd(end[1], &c, 1, &fd) == 1 && fd >= 0);
			check_held(s, id);
			CHECK(store_is(fd, &id));
			check_content(fd, SIZE, 2);
			CHECK(close(fd) == 0);
		} else {
			io_close(&end[0]);
			check_held(s, id); /* it can still be received */
			io_close(&end[1]);
		}
		check_free(s, id);
		io_close(&end[0]);
		io_close(&end[1]);
	}
}

static void mapped(struct store *s)
{
	uint64_t id;
	int fd = put(s, SIZE, 3, &id);
	unsigned char *at = map(fd, SIZE);
	CHECK(close(fd) == 0);
	check_held(s, id);
	at[0] ^= 1; /* one page is private then, the others are not */
	check_held(s, id);
	at[0] ^= 1;
	check_bytes(at, SIZE, 3);
	CHECK(munmap(at, 4096) == 0); /* a part of it is enough */
	check_held(s, id);
	CHECK(munmap(at + 4096, SIZE - 4096) == 0);
	check_free(s, id);
}

/* Mapped, or open, in a child that has inherited it, while we have left it;
 * until it ends, whichever way. */
static void in_a_child(struct store *s, bool maps, bool dies)
{
	uint64_t id;
	int ready[2], go[2], fd = put(s, SIZE, 4, &id);
	CHECK(io_pair(ready) == 0 && io_pair(go) == 0);
	unsigned char *at = map(fd, SIZE);
	if (maps)
		CHECK(close(fd) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		char c;
		store_release(s); /* inherited, too, but no more */
		CHECK(maps || munmap(at, SIZE) == 0);
		CHECK(write(ready[1], "a", 1) == 1);
		CHECK(read(go[1], &c, 1) == 1);
		if (maps)
			check_bytes(at, SIZE, 4);
		else
			check_content(fd, SIZE, 4);
		if (dies)
			CHECK(kill(getpid(), SIGKILL) == 0);
		_exit(0);
	}
	char c;
	CHECK(munmap(at, SIZE) == 0 && (maps || close(fd) == 0));
	CHECK(read(ready[0], &c, 1) == 1);
	check_held(s, id);
	CHECK(write(go[0], "a", 1) == 1);
	if (dies)
		CHECK(waitpid(pid, NULL, 0) == pid);
	else
		test_wait_ok(pid);
	check_free(s, id);
	for (int i = 0; i < 2; i++) {
		io_close(&ready[i]);
		io_close(&go[i]);
	}
}

static void never_while_held(void)
{
	struct store s;
	store_init(&s, PLENTY);
	open_somewhere(&s);
	in_flight(&s);
	mapped(&s);
	for (int way = 0; way < 4; way++)
		in_a_child(&s, way & 1, way & 2);
	store_release(&s);
}

/* Which id is the newer one cannot be seen: each processor counts its own. */
static bool is_one_of(uint64_t id, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Segments of all sizes, held for a while and looked at in the end. */
static void by_chance(size_t most)
{
	enum { HELD = 30, ROUNDS = 3000 };
	struct {
		int fd;
		size_t n, what;
		uint64_t id;
	} held[HELD];
	struct store s;
	store_init(&s, most);
	for (size_t i = 0; i < HELD; i++)
		held[i].fd = -1;
	static uint64_t seen[ROUNDS];
	size_t n = 0;
	int again = 0;
	for (size_t what = 0; what < ROUNDS; what++) {
		size_t k = test_below(HELD);
		if (held[k].fd >= 0) {
			CHECK(store_is(held[k].fd, &held[k].id));
			check_content(held[k].fd, held[k].n, held[k].what);
			io_close(&held[k].fd);
			continue;
		}
		held[k].n = 1 + test_below(test_below(10) ? 3000 : 30000);
		held[k].what = what;
		held[k].fd = put(&s, held[k].n, what, &held[k].id);
		for (size_t i = 0; i < HELD; i++)
			CHECK(i == k || held[i].fd < 0 ||
			      held[i].id != held[k].id);
		again += is_one_of(held[k].id, seen, n);
		seen[n++] = held[k].id;
	}
	CHECK(most == 0 ? again == 0 : again > 0);
	for (size_t i = 0; i < HELD; i++) {
		if (held[i].fd >= 0)
			check_content(held[i].fd, held[i].n, held[i].what);
		io_close(&held[i].fd);
	}
	store_release(&s);
}

/* ---- limits ---- */

/* Those past a limit are nobody's but the receiver's; those within it stay. */
static void how_many(void)
{
	enum { N = STORE_KEEPS + 4 };
	struct store s;
	int fds[N];
	uint64_t ids[N];
	store_init(&s, PLENTY);
	int before = test_descriptors(getpid());
	for (size_t i = 0; i < N; i++) {
		fds[i] = put(&s, SIZE, i, &ids[i]);
		size_t kept = i < STORE_KEEPS ? i + 1 : STORE_KEEPS;
		CHECK(s.n == kept && s.bytes == kept * SIZE);
		CHECK(test_descriptors(getpid()) ==
		      before + (int)(i + 1 + kept));
	}
	for (size_t i = 0; i < N; i++) {
		check_content(fds[i], SIZE, i);
		io_close(&fds[i]);
	}
	/* The last ones are gone, the others used again. */
	for (size_t i = 0; i < N; i++) {
		uint64_t id;
		fds[i] = put(&s, SIZE, i, &id);
		CHECK((id == ids[i]) == (i < STORE_KEEPS));
		CHECK(i < STORE_KEEPS || !is_one_of(id, ids, N));
	}
	/* Not in use, and no use: another takes its place. */
	io_close(&fds[3]);
	uint64_t large = touch(&s, 4 * SIZE, 1);
	CHECK(s.n == STORE_KEEPS && s.bytes == (STORE_KEEPS + 3) * SIZE);
	CHECK(touch(&s, 4 * SIZE, 1) == large);
	for (size_t i = 0; i < N; i++)
		io_close(&fds[i]);
	store_release(&s);
	CHECK(test_descriptors(getpid()) == before);
}

static void how_much(void)
{
	struct store s;
	uint64_t id, ids[3];
	int fd, fds[3];
	store_init(&s, 3 * SIZE);
	for (size_t i = 0; i < 3; i++)
		fds[i] = put(&s, SIZE, i, &ids[i]);
	CHECK(s.n == 3 && s.bytes == s.most);
	/* All in use: not kept. */
	fd = put(&s, 1, 3, &id);
	CHECK(s.n == 3 && s.bytes == s.most);
	check_content(fd, 1, 3);
	CHECK(close(fd) == 0);
	CHECK(touch(&s, 1, 3) != id);
	/* As many as need be go for another one. */
	io_close(&fds[0]);
	io_close(&fds[2]);
	id = touch(&s, 2 * SIZE - 10, 4);
	CHECK(s.n == 2 && s.bytes == 3 * SIZE - 10);
	CHECK(touch(&s, 2 * SIZE - 10, 5) == id);
	check_content(fds[1], SIZE, 1);
	io_close(&fds[1]);
	CHECK(touch(&s, SIZE / 2, 6) == ids[1]);
	/* All of it, and more than that. */
	id = touch(&s, 3 * SIZE, 7);
	CHECK(s.n == 1 && s.bytes == s.most);
	CHECK(touch(&s, 3 * SIZE, 7) == id);
	fd = put(&s, 3 * SIZE + 1, 8, &id);
	check_content(fd, 3 * SIZE + 1, 8);
	CHECK(close(fd) == 0 && s.bytes <= s.most);
	store_release(&s);
	/* Nothing at all. */
	store_init(&s, 0);
	id = touch(&s, SIZE, 1);
	CHECK(s.n == 0 && touch(&s, SIZE, 1) != id && s.n == 0);
	store_release(&s);
}

/* Who has it keeps it. */
static void released(void)
{
	struct store s;
	uint64_t ids[2];
	int before = test_descriptors(getpid());
	store_init(&s, PLENTY);
	int fds[] = {put(&s, SIZE, 1, &ids[0]), put(&s, SIZE, 2, &ids[1])};
	unsigned char *at = map(fds[0], SIZE);
	CHECK(close(fds[0]) == 0);
	store_release(&s);
	CHECK(s.n == 0 && s.bytes == 0);
	CHECK(test_descriptors(getpid()) == before + 1);
	check_bytes(at, SIZE, 1);
	check_content(fds[1], SIZE, 2);
	CHECK(munmap(at, SIZE) == 0 && close(fds[1]) == 0);
	uint64_t id = touch(&s, SIZE, 3); /* it can go on */
	CHECK(id != ids[0] && id != ids[1]);
	CHECK(touch(&s, SIZE, 4) == id);
	store_release(&s);
	CHECK(test_descriptors(getpid()) == before);
}

/* ---- errors ---- */

/* So many more descriptors, one after the other; -1: as many as ever. */
static int put_within(struct store *s, int more, uint64_t *id)
{
	static const unsigned char bytes[SIZE];
	struct rlimit old, few;
	int fd = -1, lowest = fcntl(0, F_DUPFD_CLOEXEC, 3);
	CHECK(lowest >= 0 && close(lowest) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = (rlim_t)(lowest + more);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	int rc = store_put(s, bytes, SIZE, &fd, id);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(rc < 0 || close(fd) == 0);
	return rc;
}

/* No descriptor left, at any point: nothing is lost, and later it goes on. */
static void no_descriptors(void)
{
	struct store s;
	uint64_t id, again;
	store_init(&s, PLENTY);
	int before = test_descriptors(getpid());
	CHECK(put_within(&s, 0, &id) == -EMFILE);
	CHECK(put_within(&s, 1, &id) == -EMFILE);
	CHECK(s.n == 0 && test_descriptors(getpid()) == before);
	CHECK(put_within(&s, 2, &id) == 0 && s.n == 1);
	CHECK(put_within(&s, 0, &again) == -EMFILE && s.n == 1);
	CHECK(put_within(&s, 1, &again) == 0 && again == id);
	CHECK(test_descriptors(getpid()) == before + 1);
	store_release(&s);
	CHECK(test_descriptors(getpid()) == before);
}

/* Larger than a file may be: no signal, also where the limit is lowered later.
 */
static void too_large(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		static const unsigned char bytes[SIZE];
		struct store s;
		uint64_t id;
		int fd = -1;
		store_init(&s, PLENTY);
		(void)touch(&s, SIZE, 1);
		int before = test_descriptors(getpid());
		struct rlimit most = {SIZE - 1, SIZE - 1};
		CHECK(setrlimit(RLIMIT_FSIZE, &most) == 0);
		CHECK(store_put(&s, bytes, SIZE, &fd, &id) == -EFBIG);
		CHECK(store_put(&s, bytes, SIZE - 1, &fd, &id) == 0);
		CHECK(close(fd) == 0);
		store_release(&s);
		CHECK(store_put(&s, bytes, SIZE, &fd, &id) == -EFBIG);
		CHECK(s.n == 0);
		CHECK(test_descriptors(getpid()) == before - 1);
		_exit(0);
	}
	test_wait_ok(pid);
}

int main(void)
{
	int before = test_descriptors(getpid());
	content();
	used_again();
	never_while_held();
	by_chance(0);
	by_chance(20000);
	by_chance(PLENTY);
	how_many();
	how_much();
	released();
	no_descriptors();
	too_large();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
