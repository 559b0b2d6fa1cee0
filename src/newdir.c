/* A directory that takes its place when it is whole. */
#include "newdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "digest.h"
#include "io.h"
#include "tmpdir.h"

static const char new_name[] = ".pool-new-", old_name[] = ".pool-old-";

enum {
	FORGOTTEN = 86400, /* seconds, after which nobody is at it */
	PATIENCE = 5,	   /* seconds, for who is at work in one */
	PAUSE = 1000000,   /* ns, between attempts to remove it */
	DIGITS = 16,
	LONGEST = NAME_MAX - 32,
};

/* parent/name and, if so wished, digits by chance. */
static char *path_of(const char *parent, const char *name, bool chance)
{
	unsigned long long random = 0;
	size_t n = strlen(parent) + strlen(name) + DIGITS + 2;
	if (chance && digest_random(&random, sizeof random) < 0)
		return NULL;
	char *path = malloc(n);
	if (path && chance)
		(void)snprintf(path, n, "%s/%s%0*llx", parent, name, DIGITS,
			       random);
	else if (path)
		(void)snprintf(path, n, "%s/%s", parent, name);
	return path;
}

int newdir_path(const char *parent, const char *name, char **path)
{
	*path = NULL;
	if (*name == '\0' || *name == '.' || strchr(name, '/') ||
	    strlen(name) > LONGEST)
		return -EINVAL;
	*path = path_of(parent, name, false);
	return *path ? 0 : -ENOMEM;
}

static bool is_named(const char *name, const char *begin)
{
	size_t n = strlen(begin);
	return strncmp(name, begin, n) == 0 &&
	       strspn(name + n, "0123456789abcdef") == DIGITS &&
	       name[n + DIGITS] == '\0';
}

/* Those that are going are nobody's any more; of those that come one cannot
 * know, but in a day they are made. The parent may be any directory of the
 * user's: all else in it is none of ours. */
static bool forgotten(int parent, const char *name)
{
	struct stat st;
	bool going = is_named(name, old_name);
	if (!going && !is_named(name, new_name))
		return false;
	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (going || st.st_mtime < time(NULL) - FORGOTTEN);
}

static void clean(const char *parent)
{
	DIR *d = opendir(parent);
	if (!d)
		return;
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		char *path = forgotten(dirfd(d), e->d_name)
				     ? path_of(parent, e->d_name, false)
				     : NULL;
		if (path)
			(void)tmpdir_remove(path);
		free(path);
	}
	(void)closedir(d);
}

int newdir_make(const char *parent, char **path)
{
	clean(parent);
	*path = path_of(parent, new_name, true);
	if (!*path)
		return -ENOMEM;
	if (mkdir(*path, 0700) == 0)
		return 0;
	int rc = -errno;
	free(*path);
	*path = NULL;
	return rc;
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 ? -errno : 0;
	io_close(&fd);
	return rc;
}

int newdir_publish(const char *path, const char *parent, const char *place)
{
	struct stat st;
	int rc = sync_directory(path);
	if (rc < 0)
		return rc;
	/* An empty directory would be replaced. */
	if (lstat(place, &st) == 0)
		return -EEXIST;
	if (rename(path, place) < 0)
		return errno == ENOTEMPTY || errno == ENOTDIR ? -EEXIST
							      : -errno;
	rc = sync_directory(parent);
	if (rc < 0)
		(void)rename(place, path); /* the caller's again */
	return rc;
}

/* Who is at work there may put something into it meanwhile. Where that never
 * ends, the rest stays aside, and goes when the next one is made. */
static int remove_in_use(const char *path)
{
	const struct timespec pause = {.tv_nsec = PAUSE};
	uint64_t end = clock_now() + clock_seconds(PATIENCE);
	for (;;) {
		int rc = tmpdir_remove(path);
		if (rc != -ENOTEMPTY || clock_now() > end)
			return rc;
		(void)nanosleep(&pause, NULL);
	}
}

int newdir_remove(const char *parent, const char *place)
{
	char *aside = path_of(parent, old_name, true);
	int rc = aside ? 0 : -ENOMEM;
	if (rc == 0 && rename(place, aside) < 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_directory(parent);
	if (rc == 0)
		rc = remove_in_use(aside);
	free(aside);
	return rc;
}
