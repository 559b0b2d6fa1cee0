/* Files of a store. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "disk.h"

enum { AT_ONCE = 1 << 30 }; /* some systems move no more than 2 GB */

int file_open(int directory, const char *name, int flags)
{
	int fd;
	do
		fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW,
			    0600);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n < AT_ONCE ? n : AT_ONCE);
		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

int file_write(int fd, const void *bytes, size_t n)
{
	sigset_t old;
	disk_hold(&old);
	int rc = write_all(fd, bytes, n);
	disk_let_go(&old);
	return rc;
}

int file_read(int fd, void *out, size_t n)
{
	for (unsigned char *p = out; n > 0;) {
		ssize_t done = read(fd, p, n < AT_ONCE ? n : AT_ONCE);
		if (done == 0)
			return -ENODATA;
		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}
