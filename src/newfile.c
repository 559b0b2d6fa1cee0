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

enum { PERMISSIONS = 0777 };

/* May something take the destination's place? The permissions of the file that
 * is there, or -1: none is. */
static int look(const char *destination, bool replace, int *mode)
{
	struct stat st;
	*mode = -1;
	if (lstat(destination, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	bool leads = S_ISLNK(st.st_mode);
	if (leads && stat(destination, &st) < 0)
		return errno == ENOENT && !replace ? -EEXIST : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!replace)
		return -EEXIST;
	*mode = (int)(st.st_mode & PERMISSIONS);
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

/* What a private file is to be open for; some file systems have the same
 * permissions for all, and cannot change them. */
static int permit(int fd, int mode)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((int)(st.st_mode & PERMISSIONS) == mode)
		return 0;
	return fchmod(fd, (mode_t)mode) < 0 ? -errno : 0;
}

static int open_beside(struct newfile *f, int mode)
{
	f->path = beside(f->destination);
	if (!f->path)
		return -ENOMEM;
	do
		f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			     mode < 0 ? 0666 : 0600);
	while (f->fd < 0 && errno == EINTR);
	if (f->fd >= 0)
		return mode < 0 ? 0 : permit(f->fd, mode);
	int rc = -errno;
	free(f->path); /* not ours to remove */
	f->path = NULL;
	return rc;
}

int newfile_open(struct newfile *f, const char *destination, bool replace)
{
	int mode;
	*f = (struct newfile){.fd = -1, .replace = replace};
	int rc = look(destination, replace, &mode);
	if (rc < 0)
		return rc;
	f->destination =
		mode < 0 ? strdup(destination) : realpath(destination, NULL);
	if (!f->destination)
		return mode < 0 ? -ENOMEM : -errno;
	rc = open_beside(f, mode);
	if (rc < 0)
		newfile_drop(f);
	return rc;
}

/* Where nothing may be replaced a link does it, which fails if there is
 * something; some file systems have none. */
static int put_in_place(const struct newfile *f)
{
	if (!f->replace) {
		int mode;
		if (link(f->path, f->destination) == 0)
			return unlink(f->path) == 0 ? 0 : -errno;
		if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS &&
		    errno != EMLINK)
			return -errno;
		int rc = look(f->destination, false, &mode);
		if (rc < 0)
			return rc;
	}
	return rename(f->path, f->destination) == 0 ? 0 : -errno;
}

int newfile_publish(struct newfile *f)
{
	int rc = close(f->fd) == 0 || errno == EINTR ? 0 : -errno;
	f->fd = -1;
	if (rc == 0)
		rc = put_in_place(f);
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
	free(f->destination);
	f->path = f->destination = NULL;
}
