/*
 * Segments. The maker's own descriptor is the only one that can write; others
 * are opened anew, to read. A lease (fcntl(2), F_SETLEASE) to write is granted
 * only while there is no other open file of the same memory, and a descriptor
 * in flight or a mapping, even one that a child has inherited, is one.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

void store_init(struct store *s, size_t most)
{
	*s = (struct store){.most = most};
}

static void drop(struct store *s, size_t i)
{
	s->bytes -= s->kept[i].size;
	shm_release(&s->kept[i]);
	s->kept[i] = s->kept[--s->n];
}

void store_release(struct store *s)
{
	while (s->n > 0)
		drop(s, s->n - 1);
}

/* Another open file of the same memory, or -errno. */
static int reopen(int fd, int flags)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, flags | O_CLOEXEC);
	/* cppcheck-suppress resourceLeak ; it is what is returned */
	return again < 0 ? -errno : again;
}

static bool is_unused(const struct shm *m)
{
#ifdef F_SETLEASE
	return fcntl(m->fd, F_SETLEASE, F_WRLCK) == 0 &&
	       fcntl(m->fd, F_SETLEASE, F_UNLCK) == 0;
#else
	(void)m;
	return false;
#endif
}

static int make(struct shm *m, size_t n)
{
	int rc = shm_create(m, n);
	if (rc < 0)
		return rc;
	/* The first one does not count as a writer. */
	int fd = reopen(m->fd, O_RDWR);
	if (fd < 0) {
		shm_release(m);
		return fd;
	}
	io_close(&m->fd);
	m->fd = fd;
	return 0;
}

/* One that holds n bytes and does not waste as many again. */
static bool suits(const struct shm *m, size_t n)
{
	return m->size >= n && m->size / 2 <= n && is_unused(m);
}

/* Makes room for another, by what is not in use; a segment that is in use, or
 * too large to be kept, is not kept: it lives as long as it is mapped. */
static bool make_room(struct store *s, size_t n)
{
	for (size_t i = s->n; i-- > 0;)
		if ((s->n == STORE_KEEPS || s->bytes + n > s->most) &&
		    is_unused(&s->kept[i]))
			drop(s, i);
	return s->n < STORE_KEEPS && n <= s->most && s->bytes <= s->most - n;
}

static int fill(const struct shm *m, const void *bytes, size_t n, int *fd,
		uint64_t *id)
{
	int rc = shm_write(m, 0, bytes, n);
	if (rc == 0)
		rc = store_id(m->fd, id);
	if (rc == 0) {
		*fd = reopen(m->fd, O_RDONLY);
		rc = *fd < 0 ? *fd : 0;
	}
	return rc;
}

int store_put(struct store *s, const void *bytes, size_t n, int *fd,
	      uint64_t *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (suits(&s->kept[i], n))
			return fill(&s->kept[i], bytes, n, fd, id);
	struct shm fresh;
	int rc = make(&fresh, n);
	if (rc == 0)
		rc = fill(&fresh, bytes, n, fd, id);
	if (rc == 0 && make_room(s, n)) {
		s->kept[s->n++] = fresh;
		s->bytes += n;
	} else {
		shm_release(&fresh);
	}
	return rc;
}

int store_id(int fd, uint64_t *id)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	*id = (uint64_t)st.st_ino;
	return 0;
}

bool store_is(int fd, const void *id)
{
	uint64_t it = 0;
	return store_id(fd, &it) == 0 && it == *(const uint64_t *)id;
}
