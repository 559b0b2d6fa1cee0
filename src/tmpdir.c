/* Private temporary directories. */
#include "tmpdir.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 16, LEVELS = 64 };

static int fits(int n)
{
	return n < 0 || n >= TMPDIR_MAX ? -ENAMETOOLONG : 0;
}

int tmpdir_make(const char *parent, char path[TMPDIR_MAX])
{
	int rc = fits(snprintf(path, TMPDIR_MAX, "%s/poolXXXXXX", parent));
	if (rc == 0 && !mkdtemp(path))
		rc = -errno;
	if (rc < 0)
		path[0] = '\0';
	return rc;
}

int tmpdir_in(const char *base, const char name[TMPDIR_NAME],
	      char path[TMPDIR_MAX])
{
	if (!*name || *name == '.' || !memchr(name, '\0', TMPDIR_NAME) ||
	    strchr(name, '/'))
		return -EINVAL;
	return fits(snprintf(path, TMPDIR_MAX, "%s/%s", base, name));
}

static bool closed; /* open_up() met a directory that could not be read */

static int open_up(const char *path, const struct stat *s, int type,
		   struct FTW *at)
{
	(void)s;
	(void)at;
	if (type == FTW_D || type == FTW_DNR)
		(void)chmod(path, S_IRWXU); /* if not, removing it will tell */
	closed = closed || type == FTW_DNR;
	return 0;
}

static int remove_one(const char *path, const struct stat *s, int type,
		      struct FTW *at)
{
	(void)s;
	(void)at;
	/* Goes on after a failure: the rest is still to be removed. */
	(void)(type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path));
	return 0;
}

static bool is_gone(const char *path)
{
	struct stat s;
	return lstat(path, &s) < 0 && errno == ENOENT;
}

int tmpdir_remove(const char *path)
{
	if (!*path || rmdir(path) == 0 || errno == ENOENT)
		return 0;
	(void)nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	if (is_gone(path))
		return 0;
	/* Directories that keep even their owner out, one level a round. */
	for (int round = 0; round < LEVELS; round++) {
		closed = false;
		(void)nftw(path, open_up, DESCRIPTORS, FTW_PHYS);
		if (!closed)
			break;
	}
	(void)nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	return is_gone(path) ? 0 : -ENOTEMPTY;
}
