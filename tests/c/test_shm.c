/*
 * Shared memory: what is sealed, what is taken for it and what is not, whose a
 * change is, and that nothing is left open or mapped.
 */
#include "shm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io.h"
#include "test.h"

enum { SIZE = 3 * 4096 + 123 }; /* no whole pages */

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 256 + 1);
}

static void fill(unsigned char *bytes, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(at + i);
}

static void check_bytes(const unsigned char *bytes, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(at + i))
			CHECK(!"the bytes that were written");
}

static void check_none(const struct shm *s)
{
	CHECK(s->fd == -1 && s->at == NULL && s->size == 0);
}

static off_t size_of(int fd)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	return st.st_size;
}

/* Mappings of this process that are of such memory. */
static int mappings(void)
{
	char line[512];
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:") != NULL;
	CHECK(fclose(f) == 0);
	return n;
}

static void created(void)
{
	struct shm s;
	shm_init(&s);
	check_none(&s);
	shm_release(&s); /* of nothing */
	check_none(&s);
	CHECK(shm_map(&s, SHM_SHARED) < 0);
	check_none(&s);
	CHECK(shm_create(&s, SIZE) == 0);
	CHECK(s.fd >= 0 && s.size == SIZE && s.at == NULL);
	CHECK(fcntl(s.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(size_of(s.fd) == SIZE && mappings() == 0);
	CHECK(shm_map(&s, SHM_SHARED) == 0);
	CHECK(mappings() == 1 && (uintptr_t)s.at % 4096 == 0);
	for (size_t i = 0; i < SIZE; i++)
		CHECK(s.at[i] == 0);
	int fd = s.fd;
	shm_release(&s);
	check_none(&s);
	CHECK(fcntl(fd, F_GETFD) < 0 && mappings() == 0);
	shm_release(&s); /* once more is harmless */
}

static void not_created(void)
{
	static const size_t sizes[] = {0, SIZE_MAX, SIZE_MAX / 2 + 1};
	struct shm s;
	for (size_t i = 0; i < 3; i++) {
		CHECK(shm_create(&s, sizes[i]) == -EINVAL);
		check_none(&s);
	}
	/* More than there is; some systems promise it all the same. */
	if (shm_create(&s, SIZE_MAX / 2) < 0) {
		check_none(&s);
	} else {
		CHECK(shm_map(&s, SHM_SHARED) == -ENOMEM && s.at == NULL);
		shm_release(&s);
	}
	/* No descriptor left. */
	struct rlimit old, few;
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 3;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	int rc = shm_create(&s, SIZE);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(rc == -EMFILE);
	check_none(&s);
}

/* Nobody can shrink it under the others' feet, or grow it, or allow that. */
static void sealed(void)
{
	struct shm s;
	CHECK(shm_create(&s, SIZE) == 0);
	static const off_t sizes[] = {0, 1, SIZE - 1, SIZE + 1, 1 << 20};
	for (size_t i = 0; i < 5; i++)
		CHECK(ftruncate(s.fd, sizes[i]) < 0 && errno == EPERM);
	CHECK(fallocate(s.fd, 0, SIZE, 1) < 0);
	CHECK(fcntl(s.fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	CHECK(size_of(s.fd) == SIZE);
	shm_release(&s);
}

static void adopted(void)
{
	struct shm s, t;
	CHECK(shm_create(&s, SIZE) == 0 && shm_map(&s, SHM_SHARED) == 0);
	fill(s.at, 0, SIZE);
	int fd = fcntl(s.fd, F_DUPFD_CLOEXEC, 3);
	CHECK(shm_adopt(&t, fd) == 0);
	CHECK(t.fd == fd && t.size == SIZE && t.at == NULL);
	CHECK(shm_map(&t, SHM_SHARED) == 0 && t.at != s.at);
	check_bytes(t.at, 0, SIZE);
	t.at[SIZE - 1] = 42;
	CHECK(s.at[SIZE - 1] == 42);
	s.at[0] = 43;
	CHECK(t.at[0] == 43);
	shm_release(&s); /* it stays as long as somebody has it */
	CHECK(t.at[0] == 43 && t.at[SIZE - 1] == 42);
	check_bytes(t.at + 1, 1, SIZE - 2);
	shm_release(&t);
}

static int memory(unsigned flags, off_t size, int seals)
{
	int fd = memfd_create("other", flags);
	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	CHECK(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void refuse(int fd)
{
	struct shm s;
	CHECK(shm_adopt(&s, fd) == -EPROTO);
	check_none(&s);
	CHECK(fcntl(fd, F_GETFD) < 0); /* closed */
}

static void adopts_nothing_else(void)
{
	enum { BOTH = F_SEAL_SHRINK | F_SEAL_GROW };
	int p[2];
	refuse(-1);
	CHECK(pipe(p) == 0);
	refuse(p[0]);
	refuse(p[1]);
	CHECK(io_pair(p) == 0);
	refuse(p[0]);
	refuse(p[1]);
	refuse(open("/dev/zero", O_RDWR));
	refuse(open("/", O_RDONLY));
	char path[] = "/tmp/test_shmXXXXXX";
	int file = mkstemp(path);
	CHECK(file >= 0 && unlink(path) == 0 && ftruncate(file, SIZE) == 0);
	refuse(file);
	refuse(memory(0, SIZE, 0));
	refuse(memory(MFD_ALLOW_SEALING, SIZE, 0));
	refuse(memory(MFD_ALLOW_SEALING, SIZE, F_SEAL_SEAL));
	refuse(memory(MFD_ALLOW_SEALING, SIZE, F_SEAL_SHRINK));
	refuse(memory(MFD_ALLOW_SEALING, SIZE, F_SEAL_GROW | F_SEAL_SEAL));
	refuse(memory(MFD_ALLOW_SEALING, 0, BOTH | F_SEAL_SEAL)); /* empty */
	struct shm s;
	CHECK(shm_adopt(&s, memory(MFD_ALLOW_SEALING, 1, BOTH)) == 0);
	CHECK(s.size == 1);
	shm_release(&s);
}

/* A private mapping sees what is there; what it changes nobody else does. */
static void copied(void)
{
	struct shm s, t, u;
	CHECK(shm_create(&s, SIZE) == 0 && shm_map(&s, SHM_SHARED) == 0);
	fill(s.at, 0, SIZE);
	CHECK(shm_adopt(&t, fcntl(s.fd, F_DUPFD_CLOEXEC, 3)) == 0);
	CHECK(shm_adopt(&u, fcntl(s.fd, F_DUPFD_CLOEXEC, 3)) == 0);
	CHECK(shm_map(&t, SHM_COPIED) == 0 && shm_map(&u, SHM_COPIED) == 0);
	check_bytes(t.at, 0, SIZE);
	memset(t.at, 0, SIZE);
	check_bytes(s.at, 0, SIZE);
	check_bytes(u.at, 0, SIZE);
	unsigned char bytes[SIZE];
	CHECK(pread(s.fd, bytes, SIZE, 0) == SIZE);
	check_bytes(bytes, 0, SIZE);
	/* Nor does a change of the others' undo it. */
	memset(s.at, 9, SIZE);
	for (size_t i = 0; i < SIZE; i++)
		CHECK(t.at[i] == 0);
	shm_release(&t);
	CHECK(s.at[0] == 9 && s.at[SIZE - 1] == 9);
	shm_release(&s);
	shm_release(&u);
}

/* Through a descriptor that can only be read from: what is there, and copies.
 */
static void read_only(void)
{
	struct shm s, t;
	char path[40];
	CHECK(shm_create(&s, SIZE) == 0 && shm_map(&s, SHM_SHARED) == 0);
	fill(s.at, 0, SIZE);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s.fd);
	CHECK(shm_adopt(&t, open(path, O_RDONLY | O_CLOEXEC)) == 0);
	CHECK(t.size == SIZE);
	CHECK(shm_map(&t, SHM_SHARED) == -EACCES && t.at == NULL);
	CHECK(shm_write(&t, 0, "x", 1) == -EBADF);
	CHECK(shm_map(&t, SHM_COPIED) == 0);
	check_bytes(t.at, 0, SIZE);
	memset(t.at, 0, SIZE);
	check_bytes(s.at, 0, SIZE);
	shm_release(&s);
	shm_release(&t);
}

/* At any place, mapped or not, over what is there. */
static void written(void)
{
	static unsigned char model[SIZE], bytes[SIZE];
	for (int mapped = 0; mapped < 2; mapped++) {
		struct shm s;
		CHECK(shm_create(&s, SIZE) == 0);
		CHECK(!mapped || shm_map(&s, SHM_SHARED) == 0);
		memset(model, 0, SIZE);
		for (int round = 0; round < 300; round++) {
			size_t at = test_below(SIZE + 1);
			size_t n = test_below(SIZE - at + 1);
			n = round % 2 ? n % 100 : n;
			at = round % 10 == 0 ? SIZE - n : at; /* to the end */
			for (size_t i = 0; i < n; i++)
				bytes[i] = (unsigned char)test_random();
			memcpy(model + at, bytes, n);
			CHECK(shm_write(&s, at, bytes, n) == 0);
			CHECK(!mapped || memcmp(s.at, model, SIZE) == 0);
		}
		CHECK(shm_write(&s, 5, NULL, 0) == 0);
		CHECK(pread(s.fd, bytes, SIZE, 0) == SIZE);
		CHECK(memcmp(bytes, model, SIZE) == 0);
		shm_release(&s);
	}
}

/* What does not fit is an error, and makes it no larger. */
static void written_past_the_end(void)
{
	static const unsigned char bytes[2 * SIZE];
	static const size_t places[] = {SIZE, SIZE - 1, SIZE + 1,
					0,    4096,	SIZE_MAX / 4};
	struct shm s;
	CHECK(shm_create(&s, SIZE) == 0 && shm_map(&s, SHM_SHARED) == 0);
	fill(s.at, 0, SIZE);
	for (size_t i = 0; i < 6; i++) {
		size_t at = places[i], n = at < SIZE ? SIZE - at + 1 : 1;
		CHECK(shm_write(&s, at, bytes, n) < 0);
		CHECK(shm_write(&s, at, bytes, sizeof(bytes)) < 0);
		CHECK(shm_write(&s, at, bytes, 0) == 0);
		CHECK(size_of(s.fd) == SIZE);
		check_bytes(s.at, 0, at < SIZE ? at : 0); /* before it */
		fill(s.at, 0, SIZE);
	}
	shm_release(&s);
	CHECK(shm_write(&s, 0, bytes, 1) == -EBADF);
}

/* Passed on, changed by both, and there after its creator's death. */
static void between_processes(void)
{
	int end[2];
	CHECK(io_pair(end) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	struct shm s;
	char c = 0;
	if (pid == 0) {
		io_close(&end[0]);
		unsigned char half[SIZE / 2];
		fill(half, 0, sizeof(half));
		CHECK(shm_create(&s, SIZE) == 0);
		CHECK(shm_write(&s, 0, half, sizeof(half)) == 0);
		CHECK(io_send_fd(end[1], &c, 1, s.fd) == 1);
		CHECK(io_wait(end[1], POLLIN, 10000) == 1);
		CHECK(io_recv(end[1], &c, 1) == 1);
		CHECK(shm_map(&s, SHM_SHARED) == 0);
		check_bytes(s.at, 0, SIZE);
		s.at[1] = 77;
		fill(half, 5, 10);
		CHECK(shm_write(&s, 2, half, 10) == 0);
		_exit(0); /* without releasing anything */
	}
	io_close(&end[1]);
	int passed;
	CHECK(io_wait(end[0], POLLIN, 10000) == 1);
	CHECK(io_recv_fd(end[0], &c, 1, &passed) == 1 && passed >= 0);
	CHECK(shm_adopt(&s, passed) == 0 && s.size == SIZE);
	CHECK(shm_map(&s, SHM_SHARED) == 0);
	check_bytes(s.at, 0, SIZE / 2);
	fill(s.at + SIZE / 2, SIZE / 2, SIZE - SIZE / 2);
	CHECK(io_send(end[0], &c, 1) == 1);
	test_wait_ok(pid);
	CHECK(s.at[1] == 77);
	check_bytes(s.at + 2, 5, 10);
	check_bytes(s.at + 12, 12, SIZE - 12);
	shm_release(&s);
	io_close(&end[0]);
}

/* Where files may not be as large (ulimit -f): an error, not a signal, whose
 * default is to end the process. */
static void file_size_limit(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct rlimit small = {SIZE - 1, SIZE - 1};
		struct shm s;
		CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
		CHECK(shm_create(&s, SIZE) < 0);
		check_none(&s);
		CHECK(shm_create(&s, SIZE - 1) == 0);
		_exit(0);
	}
	test_wait_ok(pid);
}

int main(void)
{
	int before = test_descriptors(getpid());
	created();
	not_created();
	sealed();
	adopted();
	adopts_nothing_else();
	copied();
	read_only();
	written();
	written_past_the_end();
	between_processes();
	file_size_limit();
	CHECK(mappings() == 0);
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
