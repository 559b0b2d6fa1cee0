/* Private temporary directories. */
#include "tmpdir.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *usable(const char *name)
{
	const char *dir = getenv(name);
	struct stat s;
	if (!dir || !*dir || stat(dir, &s) != 0 || !S_ISDIR(s.st_mode))
		return NULL;
	return access(dir, W_OK | X_OK) == 0 ? dir : NULL;
}

static int fits(int n)
{
	return n < 0 || n >= TMPDIR_MAX ? -ENAMETOOLONG : 0;
}

int tmpdir_make(char path[TMPDIR_MAX])
{
	const char *base = usable("TMPDIR");
	if (!base)
		base = usable("TMP");
	if (!base)
		base = usable("TEMP");
	if (!base)
		base = "/tmp";
	int rc = fits(snprintf(path, TMPDIR_MAX, "%s/poolXXXXXX", base));
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

static int remove_one(const char *path, const struct stat *s, int type,
		      struct FTW *at)
{
	(void)s;
	(void)at;
	int rc = type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path);
	/* Goes on after a failure: the rest is still to be removed. */
	(void)rc;
	return 0;
}

int tmpdir_remove(const char *path)
{
	if (!*path)
		return 0;
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		return -errno;
	return access(path, F_OK) == 0 ? -ENOTEMPTY : 0;
}
