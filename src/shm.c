/*
 * Shared memory: memfds.
 *
 * A page that is touched first and cannot be had ends a process, as any other
 * memory would: no limit of a mounted file system applies to a memfd, so that
 * nothing need be set aside, only never shrunk.
 */
#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

void shm_init(struct shm *s)
{
	*s = (struct shm){.fd = -1};
}

void shm_release(struct shm *s)
{
	if (s->at)
		(void)munmap(s->at, s->size);
	io_close(&s->fd);
	shm_init(s);
}

int shm_map(struct shm *s, enum shm_use use)
{
	int flags =
		use == SHM_SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE;
	void *at = mmap(NULL, s->size, PROT_READ | PROT_WRITE, flags, s->fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	s->at = at;
	return 0;
}

/* Past a limit on the size of files there is a signal that ends a process. */
static int allowed(size_t size)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_FSIZE, &most) < 0)
		return -errno;
	return most.rlim_cur != RLIM_INFINITY && size > most.rlim_cur ? -EFBIG
								      : 0;
}

int shm_write(const struct shm *s, size_t offset, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	int rc = allowed(offset + n);
	if (rc < 0)
		return rc;
	while (n > 0) {
		ssize_t k = pwrite(s->fd, from, n, (off_t)offset);
		if (k < 0 && errno != EINTR)
			return -errno;
		if (k > 0) {
			from += k;
			offset += (size_t)k;
			n -= (size_t)k;
		}
	}
	return 0;
}

#ifdef __linux__

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW;

int shm_create(struct shm *s, size_t size)
{
	shm_init(s);
	if (size == 0 || size > SIZE_MAX / 2)
		return -EINVAL;
	int rc = allowed(size);
	if (rc < 0)
		return rc;
	s->size = size;
	s->fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0 || ftruncate(s->fd, (off_t)size) < 0 ||
	    fcntl(s->fd, F_ADD_SEALS, seals | F_SEAL_SEAL) < 0)
		rc = -errno;
	if (rc < 0)
		shm_release(s);
	return rc;
}

int shm_adopt(struct shm *s, int fd)
{
	struct stat st;
	*s = (struct shm){.fd = fd};
	int has = fcntl(fd, F_GET_SEALS);
	int rc = has < 0 || (has & seals) != seals ? -EPROTO
		 : fstat(fd, &st) < 0		   ? -errno
		 : st.st_size <= 0		   ? -EPROTO
						   : 0;
	if (rc < 0)
		shm_release(s);
	else
		s->size = (size_t)st.st_size;
	return rc;
}

#else

int shm_create(struct shm *s, size_t size)
{
	(void)size;
	shm_init(s);
	return -ENOSYS;
}

int shm_adopt(struct shm *s, int fd)
{
	*s = (struct shm){.fd = fd};
	shm_release(s);
	return -ENOSYS;
}

#endif
