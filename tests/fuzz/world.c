/* The system, made up. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "frames.h"
#include "shm.h"

enum {
	FIRST_FD = 1 << 24, /* past what the system gives */
	THINGS = 4096,
	SLABS = 8,
	SLAB = 4096 + (64 << 10) + (256 << 10),
	LIVE = 512,
	LARGES = 8,
	LARGE_FROM = 32 << 10,
	LARGE = 256 << 10,
	ACTS = 100000, /* in one input */
};

static const size_t most_memory = 64 << 20;

struct world world;
static struct thing things[THINGS];
static size_t n_things; /* ever used, of this input */
static bool on;
static size_t acts;

/* ---- the heap ---- */

static void *live[LIVE];
static size_t n_live;

/* The buffers of a channel, which the sanitizer's heap would map, copy and
 * unmap each time. One that was given back stays forbidden for as long as there
 * are others. */
static struct large {
	unsigned char *at;
	size_t n; /* 0: free */
} larges[LARGES];
static size_t next_large;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static bool fails(size_t n)
{
	if (!on)
		return false;
	REQUIRE(n <= most_memory);
	if (world.fails == 0 || --world.fails > 0)
		return false;
	world.failed = true;
	return true;
}

static void *remember(void *p)
{
	if (on && p) {
		REQUIRE(n_live < LIVE);
		live[n_live++] = p;
	}
	return p;
}

static void forget(const void *p)
{
	size_t i = n_live;
	while (on && p && i > 0 && live[i - 1] != p)
		i--;
	if (!on || !p)
		return;
	REQUIRE(i > 0);
	live[i - 1] = live[--n_live];
}

static struct large *large_of(const void *p)
{
	for (size_t i = 0; p && i < LARGES; i++)
		if (larges[i].at == p && larges[i].n > 0)
			return &larges[i];
	return NULL;
}

static void *take_large(size_t n)
{
	struct large *l = &larges[next_large++ % LARGES];
	if (l->n > 0)
		return __real_malloc(n);
	if (!l->at)
		l->at = __real_malloc(LARGE);
	REQUIRE(l->at);
	ASAN_POISON_MEMORY_REGION(l->at, LARGE);
	ASAN_UNPOISON_MEMORY_REGION(l->at, n);
	l->n = n;
	return l->at;
}

static void *take(size_t n)
{
	return on && n >= LARGE_FROM && n <= LARGE ? take_large(n)
						   : __real_malloc(n);
}

static void give_back(void *p)
{
	struct large *l = large_of(p);
	if (l) {
		ASAN_POISON_MEMORY_REGION(l->at, LARGE);
		l->n = 0;
	} else {
		__real_free(p);
	}
}

/* From one of those, or to one: as far as it is used, nobody knows. */
static void *move(void *p, const struct large *l, size_t n)
{
	void *q = take(n);
	REQUIRE(q);
	ASAN_UNPOISON_MEMORY_REGION(p, l->n);
	memcpy(q, p, n < l->n ? n : l->n);
	give_back(p);
	return q;
}

void *__wrap_malloc(size_t n)
{
	return fails(n) ? NULL : remember(take(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails(n * size) ? NULL : remember(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	const struct large *l = large_of(p);
	if (fails(n))
		return NULL;
	forget(p);
	return remember(l	    ? move(p, l, n)
			: p == NULL ? take(n)
				    : __real_realloc(p, n));
}

void __wrap_free(void *p)
{
	forget(p);
	give_back(p);
}

/* ---- descriptors ---- */

static struct thing *find(int fd)
{
	size_t i = (size_t)(fd - FIRST_FD);
	REQUIRE(fd >= FIRST_FD && i < n_things);
	REQUIRE(things[i].kind != THING_FREE);
	return &things[i];
}

struct thing *world_thing(int fd)
{
	return find(fd);
}

int world_open(enum thing_kind kind)
{
	REQUIRE(n_things < THINGS);
	things[n_things] =
		(struct thing){.kind = kind, .room = SIZE_MAX, .slab = SLABS};
	return FIRST_FD + (int)n_things++;
}

size_t world_open_given(void)
{
	size_t n = 0;
	for (size_t i = 0; i < n_things; i++)
		n += things[i].kind != THING_FREE && things[i].given;
	return n;
}

void __wrap_io_close(int *fd);
int __wrap_io_pair(int fd[2]);

void __wrap_io_close(int *fd)
{
	if (*fd >= 0)
		find(*fd)->kind = THING_FREE;
	*fd = -1;
}

int __wrap_io_pair(int fd[2])
{
	fd[0] = fd[1] = -1;
	if (rng_one_in(&world.rng, 256))
		return -EMFILE;
	REQUIRE(world.n_pairs < sizeof(world.pairs) / sizeof(int));
	fd[0] = world_open(THING_SOCKET);
	fd[1] = world_open(THING_OTHER);
	world.pairs[world.n_pairs++] = fd[0];
	return 0;
}

static unsigned char *slabs[SLABS];
static bool mapped[SLABS];

/* Memory that nobody has, or may still come to have. */
static size_t free_slab(void)
{
	bool used[SLABS] = {false};
	size_t i = 0;
	for (size_t j = 0; j < n_things; j++)
		if (things[j].kind == THING_MEMORY && things[j].slab < SLABS)
			used[things[j].slab] = true;
	while (i < SLABS && (used[i] || mapped[i]))
		i++;
	return i;
}

/* ---- sockets ---- */

bool world_deliver(struct thing *t)
{
	size_t left = t->n - t->here;
	if (left == 0)
		return false;
	size_t n = rng_one_in(&world.rng, 2) ? left
					     : 1 + rng_below(&world.rng, left);
	if (rng_one_in(&world.rng, 4))
		n = 1 + rng_below(&world.rng, n < 50 ? n : 50);
	t->here += n;
	return true;
}

static bool act(void)
{
	REQUIRE(++acts < ACTS);
	return world.act && world.act(world.of);
}

ssize_t __wrap_io_recv(int fd, void *bytes, size_t n);
ssize_t __wrap_io_recv_fd(int fd, void *bytes, size_t n, int *passed);
ssize_t __wrap_io_send(int fd, const void *bytes, size_t n);
ssize_t __wrap_io_send_fd(int fd, const void *bytes, size_t n, int pass);

static ssize_t receive_wakes(struct thing *t, void *bytes, size_t n)
{
	if (t->wakes == 0)
		return t->ended && t->here == t->n ? -EPIPE : -EAGAIN;
	size_t k = t->wakes < n ? t->wakes : n;
	memset(bytes, 0, k);
	t->wakes -= (unsigned)k;
	return (ssize_t)k;
}

ssize_t __wrap_io_recv(int fd, void *bytes, size_t n)
{
	struct thing *t = find(fd);
	REQUIRE(t->kind == THING_SOCKET);
	REQUIRE(n > 0);
	if (t->wakes > 0 || t->at == t->here)
		return receive_wakes(t, bytes, n);
	size_t k = t->here - t->at;
	k = k < n ? k : n;
	if (rng_one_in(&world.rng, 16))
		k = 1 + rng_below(&world.rng, k);
	memcpy(bytes, t->bytes + t->at, k);
	t->at += k;
	return (ssize_t)k;
}

static int pass_one(struct thing *t)
{
	t->passes--;
	world.passed++;
	if (rng_one_in(&world.rng, 32))
		return -EMFILE;
	int fd = world_open(THING_OTHER);
	struct thing *new = find(fd);
	new->given = true;
	if (t->is_rings || rng_one_in(&world.rng, 8)) {
		size_t i = free_slab();
		if (i < SLABS) {
			new->kind = THING_MEMORY;
			new->slab = i;
			new->size = SLAB;
			if (!t->is_rings || rng_one_in(&world.rng, 8))
				new->size = (size_t)frames_number(&world.rng);
		}
	}
	return fd;
}

ssize_t __wrap_io_recv_fd(int fd, void *bytes, size_t n, int *passed)
{
	struct thing *t = find(fd);
	*passed = -1;
	/* What is received ends with the byte that a descriptor came with. */
	if (t->wakes > 0 && t->passes > 0)
		n = 1;
	ssize_t k = __wrap_io_recv(fd, bytes, n);
	if (k > 0 && t->passes > 0)
		*passed = pass_one(t);
	return k;
}

ssize_t __wrap_io_send(int fd, const void *bytes, size_t n)
{
	struct thing *t = find(fd);
	REQUIRE(n > 0);
	if (t->ended && t->here == t->n)
		return -EPIPE;
	if (rng_one_in(&world.rng, 64) && t->room > 100)
		t->room = rng_below(&world.rng, 100);
	if (t->room == 0)
		return -EAGAIN;
	size_t k = n < t->room ? n : t->room;
	const volatile unsigned char *from = bytes;
	(void)from[0];
	(void)from[k - 1];
	t->room -= t->room == SIZE_MAX ? 0 : k;
	return (ssize_t)k;
}

ssize_t __wrap_io_send_fd(int fd, const void *bytes, size_t n, int pass)
{
	REQUIRE(find(pass)->kind != THING_FREE);
	if (rng_one_in(&world.rng, 64))
		return rng_one_in(&world.rng, 2) ? -EAGAIN : -ETOOMANYREFS;
	return __wrap_io_send(fd, bytes, n);
}

/* ---- waiting ---- */

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_io_wait(int fd, short events, int ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

static int look(struct pollfd *fds, nfds_t n)
{
	int found = 0;
	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		const struct thing *t = find(fds[i].fd);
		bool end = t->ended && t->here == t->n;
		if (t->at < t->here || t->wakes > 0 || end)
			fds[i].revents |= POLLIN;
		if (end)
			fds[i].revents |= POLLHUP;
		if (t->room > 0 && (fds[i].events & POLLOUT))
			fds[i].revents |= POLLOUT;
		fds[i].revents &= (short)(fds[i].events | POLLHUP);
		found += fds[i].revents != 0;
	}
	return found;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	int found = look(fds, n);
	if (found > 0 || ms == 0)
		return found;
	if (rng_one_in(&world.rng, 128)) {
		errno = EINTR;
		return -1;
	}
	bool more = act();
	while ((found = look(fds, n)) == 0 && more && rng_below(&world.rng, 4))
		more = act();
	if (found == 0)
		world.now += (uint64_t)(ms > 0 ? ms : 1000) * 1000000;
	return found;
}

int __wrap_io_wait(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n = __wrap_poll(&p, 1, ms);
	return n < 0 ? -errno : n > 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	world.now += world.tick;
	t->tv_sec = (time_t)(world.now / 1000000000);
	t->tv_nsec = (long)(world.now % 1000000000);
	return 0;
}

/* ---- shared memory ---- */

int __wrap_shm_create(struct shm *s, size_t size);
int __wrap_shm_adopt(struct shm *s, int fd);
int __wrap_shm_map(struct shm *s, enum shm_use use);
void __wrap_shm_release(struct shm *s);

int __wrap_shm_create(struct shm *s, size_t size)
{
	size_t i = free_slab();
	shm_init(s);
	if (i == SLABS || size > SLAB || rng_one_in(&world.rng, 64))
		return -ENOMEM;
	s->size = size;
	s->fd = world_open(THING_MEMORY);
	find(s->fd)->slab = i;
	find(s->fd)->size = size;
	return 0;
}

int __wrap_shm_adopt(struct shm *s, int fd)
{
	*s = (struct shm){.fd = fd};
	if (fd >= 0 && find(fd)->kind == THING_MEMORY && find(fd)->size > 0 &&
	    find(fd)->size <= SIZE_MAX / 2) {
		s->size = find(fd)->size;
		return 0;
	}
	__wrap_shm_release(s);
	return -EPROTO;
}

int __wrap_shm_map(struct shm *s, enum shm_use use)
{
	(void)use;
	const struct thing *t = find(s->fd);
	REQUIRE(t->kind == THING_MEMORY && t->size == s->size);
	if (s->size > SLAB || mapped[t->slab] || rng_one_in(&world.rng, 64))
		return -ENOMEM;
	mapped[t->slab] = true;
	s->at = slabs[t->slab];
	ASAN_UNPOISON_MEMORY_REGION(s->at, s->size);
	memset(s->at, 0, s->size < 4096 ? s->size : 4096);
	return 0;
}

void __wrap_shm_release(struct shm *s)
{
	for (size_t i = 0; s->at && i < SLABS; i++)
		if (slabs[i] == s->at) {
			REQUIRE(mapped[i]);
			mapped[i] = false;
			ASAN_POISON_MEMORY_REGION(slabs[i], SLAB);
		}
	__wrap_io_close(&s->fd);
	shm_init(s);
}

size_t world_write(struct ring *in, const unsigned char *bytes, size_t n)
{
	uint64_t at = in->state->written;
	uint64_t used = at - in->state->read;
	size_t room = used < in->size ? in->size - (size_t)used : 0;
	n = n < room ? n : room;
	for (size_t i = 0; i < n; i++)
		in->bytes[(at + i) % in->size] = bytes[i];
	in->state->written = at + n;
	return n;
}

static uint64_t lie(uint64_t truth, uint64_t size)
{
	struct rng *r = &world.rng;
	switch (rng_below(r, 4)) {
	case 0:
		return frames_number(r);
	case 1:
		return truth + frames_number(r);
	case 2:
		return truth + size + rng_below(r, 5) - 2;
	default:
		return truth + rng_below(r, 200) - 100;
	}
}

void world_tamper(struct link *l)
{
	struct rng *r = &world.rng;
	struct record *record = link_record(l);
	if (!link_has_rings(l))
		return;
	switch (rng_below(r, 7)) {
	case 0:
		l->in.state->written = lie(l->in.at, l->in.size);
		break;
	case 1:
		l->in.state->read = lie(l->in.at, l->in.size);
		break;
	case 2:
		l->out.state->read = lie(l->out.at, l->out.size);
		break;
	case 3:
		l->out.state->written = lie(l->out.at, l->out.size);
		break;
	case 4:
		*l->done_out = lie(l->passed_out, LINK_CREDIT);
		*l->done_in = frames_number(r);
		break;
	case 5:
		record->at = rng_one_in(r, 2)
				     ? (UINT64_C(1) << 40) + rng_below(r, 40)
				     : frames_number(r);
		record->since = frames_number(r);
		record->stops = (uint32_t)frames_number(r);
		break;
	default:
		l->in.state->writer_sleeps = (uint32_t)frames_number(r);
		l->out.state->reader_sleeps = (uint32_t)frames_number(r);
		l->in.state->reader_sleeps = (uint32_t)frames_number(r);
		l->out.state->writer_sleeps = (uint32_t)frames_number(r);
	}
}

/* Behind what has been received there is nothing to be read. */
ssize_t __real_link_recv(struct link *l, void *bytes, size_t n);
ssize_t __wrap_link_recv(struct link *l, void *bytes, size_t n);

ssize_t __wrap_link_recv(struct link *l, void *bytes, size_t n)
{
	const struct chan *c = (struct chan *)(void *)l; /* its first member */
	bool buffered = c->in.bytes && bytes == c->in.bytes + c->in.len;
	world.reads++;
	if (buffered)
		ASAN_UNPOISON_MEMORY_REGION(bytes, n);
	ssize_t k = __real_link_recv(l, bytes, n);
	size_t got = k > 0 ? (size_t)k : 0;
	REQUIRE(got <= n);
	if (buffered)
		ASAN_POISON_MEMORY_REGION((char *)bytes + got, n - got);
	return k;
}

/* ---- processes ---- */

int __wrap_kill(pid_t pid, int signal);
int __wrap_sigqueue(pid_t pid, int signal, union sigval value);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_proc_fork(sigset_t *mask);
pid_t __wrap_fork(void);
int __wrap_proc_watch(pid_t pid);
int __wrap_proc_watch_children(sigset_t *before);
void __wrap_proc_drain(int fd);
int __wrap_proc_adopt_orphans(void);
void __wrap_proc_bury_all(void);
_Noreturn void __wrap_proc_leave(int status);
int __wrap_tmpdir_remove(const char *path);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from);

int __wrap_kill(pid_t pid, int signal)
{
	REQUIRE(world.kill);
	world.kill(pid, signal);
	return 0;
}

int __wrap_sigqueue(pid_t pid, int signal, union sigval value)
{
	(void)value;
	return __wrap_kill(pid, signal);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	REQUIRE(world.wait);
	if (rng_one_in(&world.rng, 32)) {
		errno = EINTR;
		return -1;
	}
	pid = world.wait(pid, (options & WNOHANG) == 0);
	if (status)
		*status = (int)rng_below(&world.rng, 65536);
	if (pid < 0)
		errno = ECHILD;
	return pid;
}

pid_t __wrap_proc_fork(sigset_t *mask)
{
	(void)mask;
	REQUIRE(world.fork);
	return world.fork();
}

/* No other way. */
pid_t __wrap_fork(void)
{
	finding(__FILE__, __LINE__, "a real fork");
}

static int watch(int *what)
{
	if (rng_one_in(&world.rng, 8))
		return -ENOSYS;
	return *what = world_open(THING_OTHER);
}

int __wrap_proc_watch(pid_t pid)
{
	(void)pid;
	return watch(&world.session);
}

int __wrap_proc_watch_children(sigset_t *before)
{
	(void)before;
	return watch(&world.children);
}

void __wrap_proc_drain(int fd)
{
	find(fd)->wakes = 0;
}

int __wrap_proc_adopt_orphans(void)
{
	return 0;
}

void __wrap_proc_bury_all(void)
{
}

_Noreturn void __wrap_proc_leave(int status)
{
	(void)status;
	REQUIRE(world.leaves);
	longjmp(*world.leaves, 1);
}

int __wrap_tmpdir_remove(const char *path)
{
	if (world.removes)
		world.removes(path);
	return 0;
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from)
{
	(void)at, (void)n, (void)prot, (void)flags, (void)fd, (void)from;
	return world.names ? world.names : MAP_FAILED;
}

/* ---- an input's world ---- */

void world_begin(uint64_t seed)
{
	world = (struct world){.rng = rng_of(seed), .now = 1000000000};
	for (size_t i = 0; i < SLABS && !slabs[i]; i++) {
		slabs[i] = __real_malloc(SLAB);
		REQUIRE(slabs[i]);
		ASAN_POISON_MEMORY_REGION(slabs[i], SLAB);
	}
	n_things = n_live = acts = 0;
	world.tick = rng_one_in(&world.rng, 512) ? 20000 : 300000;
	if (rng_one_in(&world.rng, 32))
		world.fails = 1 + rng_below(&world.rng, 20);
	on = true;
}

void world_end(void)
{
	for (size_t i = 0; i < n_things; i++)
		REQUIRE(things[i].kind == THING_FREE);
	for (size_t i = 0; i < SLABS; i++)
		REQUIRE(!mapped[i]);
	REQUIRE(n_live == 0);
	on = false;
}

void world_abandon(void)
{
	while (n_live > 0)
		__wrap_free(live[n_live - 1]);
	for (size_t i = 0; i < n_things; i++)
		things[i].kind = THING_FREE;
	for (size_t i = 0; i < SLABS; i++)
		if (mapped[i]) {
			mapped[i] = false;
			ASAN_POISON_MEMORY_REGION(slabs[i], SLAB);
		}
	on = false;
}
