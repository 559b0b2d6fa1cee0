/*
 * The files of a job. Each step to one is an openat() that follows no link, so
 * that a name leads nowhere else, whatever is there.
 */
#include "job_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "file.h"
#include "io.h"

enum { PART = 40, LEVELS = 32, LONGEST = 1024 };

static const char root[] = "files";
static const char part_name[] = ".part-"; /* and digits: not whole yet */

static bool is_part(const char *name)
{
	return strncmp(name, part_name, sizeof part_name - 1) == 0;
}

static int open_directory(int directory, const char *name, bool make)
{
	if (make && mkdirat(directory, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return file_open(directory, name, O_RDONLY | O_DIRECTORY);
}

static int check(const char *name)
{
	const char *p = name;
	if (strlen(name) > LONGEST)
		return -ENAMETOOLONG;
	for (int level = 0;; level++) {
		size_t n = strcspn(p, "/");
		if (n == 0 || level == LEVELS || is_part(p) ||
		    (n <= 2 && strncmp(p, "..", n) == 0))
			return -EINVAL;
		if (p[n] == '\0')
			return 0;
		p += n + 1;
	}
}

/* The directory that a name leads to, open, and its last part. */
static int walk(int directory, const char *name, bool make, const char **last)
{
	char part[LONGEST + 1];
	int rc = check(name);
	if (rc < 0)
		return rc;
	int at = open_directory(directory, root, make);
	for (const char *slash = strchr(name, '/'); slash && at >= 0;
	     slash = strchr(name, '/')) {
		size_t n = (size_t)(slash - name);
		memcpy(part, name, n);
		part[n] = '\0';
		int below = open_directory(at, part, make);
		io_close(&at);
		at = below;
		name = slash + 1;
	}
	*last = name;
	return at;
}

static int copy_all(int fd, int from)
{
	unsigned char some[1 << 14];
	for (;;) {
		ssize_t n = read(from, some, sizeof some);
		if (n < 0 && errno == EINTR)
			continue;
		int rc = n < 0 ? -errno : file_write(fd, some, (size_t)n);
		if (rc < 0 || n == 0)
			return rc;
	}
}

/* `from`: an open file, or -1 and it is the bytes. */
static int put(int directory, const char *name, int from, const void *bytes,
	       size_t n)
{
	char part[PART];
	unsigned long long random;
	const char *last;
	int rc = digest_random(&random, sizeof random);
	if (rc < 0)
		return rc;
	(void)snprintf(part, sizeof part, "%s%016llx", part_name, random);
	int at = walk(directory, name, true, &last);
	if (at < 0)
		return at;
	int fd = file_open(at, part, O_WRONLY | O_CREAT | O_EXCL);
	rc = fd < 0	? fd
	     : from < 0 ? file_write(fd, bytes, n)
			: copy_all(fd, from);
	if (fd >= 0 && close(fd) < 0 && errno != EINTR && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(at, part, at, last) < 0)
		rc = -errno;
	if (rc < 0 && fd >= 0)
		(void)unlinkat(at, part, 0);
	io_close(&at);
	return rc;
}

int job_file_put(int directory, const char *name, const void *bytes, size_t n)
{
	return put(directory, name, -1, bytes, n);
}

/* A name that is given may lead anywhere, but a device or a pipe may not end.
 */
int job_file_copy(int directory, const char *name, const char *from)
{
	struct stat st;
	int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int rc = fstat(fd, &st) < 0    ? -errno
		 : S_ISREG(st.st_mode) ? put(directory, name, fd, NULL, 0)
		 : S_ISDIR(st.st_mode) ? -EISDIR
				       : -EINVAL;
	io_close(&fd);
	return rc;
}

int job_file_open(int directory, const char *name, uint64_t *size)
{
	struct stat st;
	const char *last;
	int at = walk(directory, name, false, &last);
	if (at < 0)
		return at;
	int fd = file_open(at, last, O_RDONLY | O_NONBLOCK);
	io_close(&at);
	if (fd < 0)
		return fd;
	int rc = fstat(fd, &st) < 0    ? -errno
		 : S_ISREG(st.st_mode) ? 0
		 : S_ISDIR(st.st_mode) ? -EISDIR
				       : -EINVAL;
	if (rc < 0) {
		io_close(&fd);
		return rc;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

struct listing {
	job_file_each *each;
	void *arg;
	char name[LONGEST + 1]; /* of where it is, a slash at its end */
};

static int list_directory(struct listing *l, int fd, size_t n, int level);

static int list_one(struct listing *l, int directory, const char *entry,
		    size_t n, int level)
{
	struct stat st;
	size_t len = strlen(entry);
	if (n + len + 1 > LONGEST || is_part(entry))
		return 0;
	if (fstatat(directory, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	memcpy(l->name + n, entry, len + 1);
	if (S_ISREG(st.st_mode))
		return l->each(l->arg, l->name, (uint64_t)st.st_size);
	if (!S_ISDIR(st.st_mode) || level == LEVELS)
		return 0;
	int below = open_directory(directory, entry, false);
	if (below < 0)
		return below == -ENOENT ? 0 : below;
	l->name[n + len] = '/';
	return list_directory(l, below, n + len + 1, level + 1);
}

/* Takes the descriptor. */
static int list_directory(struct listing *l, int fd, size_t n, int level)
{
	int rc = 0;
	DIR *d = fdopendir(fd);
	if (!d) {
		rc = -errno;
		io_close(&fd);
		return rc;
	}
	while (rc >= 0) {
		errno = 0; /* its end and an error look the same otherwise */
		const struct dirent *e = readdir(d);
		if (!e) {
			rc = -errno;
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = list_one(l, dirfd(d), e->d_name, n, level);
	}
	(void)closedir(d);
	return rc;
}

int job_file_list(int directory, job_file_each *each, void *arg)
{
	struct listing l = {.each = each, .arg = arg};
	int fd = open_directory(directory, root, false);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return list_directory(&l, fd, 0, 0);
}
