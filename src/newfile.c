/* A file that takes its place when it is whole. */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "io.h"

/* May something take the destination's place? */
static int look(const char *destination, bool replace)
{
	struct stat st;
	if (stat(destination, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!replace)
		return -EEXIST;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

/* A name in the same directory, which nobody has. */
static char *beside(const char *destination)
{
	enum { ROOM = 40 };
	const char *slash = strrchr(destination, '/');
	size_t directory = slash ? (size_t)(slash - destination) + 1 : 0;
	unsigned long long random;
	if (digest_random(&random, sizeof(random)) < 0)
		return NULL;
	char *path = malloc(directory + ROOM);
	if (!path)
		return NULL;
	memcpy(path, destination, directory);
	(void)snprintf(path + directory, ROOM, ".pool-%016llx.part", random);
	return path;
}

int newfile_open(struct newfile *f, const char *destination, bool replace)
{
	*f = (struct newfile){.fd = -1};
	int rc = look(destination, replace);
	if (rc < 0)
		return rc;
	f->path = beside(destination);
	if (!f->path)
		return -ENOMEM;
	do
		f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			     0666);
	while (f->fd < 0 && errno == EINTR);
	if (f->fd >= 0)
		return 0;
	rc = -errno;
	free(f->path);
	f->path = NULL;
	return rc;
}

/* Where nothing may be replaced a link does it, which fails if there is
 * something; some file systems have none. */
static int put_in_place(const char *path, const char *destination, bool replace)
{
	if (!replace) {
		if (link(path, destination) == 0)
			return unlink(path) == 0 ? 0 : -errno;
		if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS &&
		    errno != EMLINK)
			return -errno;
		int rc = look(destination, false);
		if (rc < 0)
			return rc;
	}
	return rename(path, destination) == 0 ? 0 : -errno;
}

int newfile_publish(struct newfile *f, const char *destination, bool replace)
{
	int rc = close(f->fd) == 0 || errno == EINTR ? 0 : -errno;
	f->fd = -1;
	if (rc == 0)
		rc = put_in_place(f->path, destination, replace);
	if (rc == 0) {
		free(f->path);
		f->path = NULL;
	}
	return rc;
}

void newfile_drop(struct newfile *f)
{
	io_close(&f->fd);
	if (f->path)
		(void)unlink(f->path);
	free(f->path);
	f->path = NULL;
}
