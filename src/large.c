/* Large values in files. */
#include "large.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"
#include "digest.h"
#include "file.h"
#include "io.h"

enum {
	NAME = 48,
	AT_ONCE = 1 << 30,
	FORGOTTEN = 86400, /* seconds, after which nobody is at it */
};

static const char folder[] = "large";
static const char part_end[] = ".part";

void large_pack(const struct large_ref *ref, unsigned char out[LARGE_REF])
{
	memcpy(out, &ref->file, 8);
	memcpy(out + 8, &ref->at, 8);
	memcpy(out + 16, &ref->size, 8);
	memcpy(out + 24, &ref->crc, 4);
}

void large_unpack(const unsigned char in[LARGE_REF], struct large_ref *ref)
{
	memcpy(&ref->file, in, 8);
	memcpy(&ref->at, in + 8, 8);
	memcpy(&ref->size, in + 16, 8);
	memcpy(&ref->crc, in + 24, 4);
}

static void name_of(uint64_t file, const char *end, char name[NAME])
{
	(void)snprintf(name, NAME, "%s/%016llx%s", folder,
		       (unsigned long long)file, end);
}

int large_prepare(int directory)
{
	return mkdirat(directory, folder, 0700) < 0 ? -errno : 0;
}

static int write_values(int fd, const struct bytes *values, size_t n,
			struct large_ref *refs, uint64_t file)
{
	uint64_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (values[i].n <= LARGE_LEAST)
			continue;
		int rc = file_write(fd, values[i].at, values[i].n);
		if (rc < 0)
			return rc;
		refs[i] = (struct large_ref){
			.file = file,
			.at = at,
			.size = values[i].n,
			.crc = crc32c(0, values[i].at, values[i].n)};
		at += values[i].n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int publish(int directory, const char *part, const char *name)
{
	if (renameat(directory, part, directory, name) < 0)
		return -errno;
	int fd = file_open(directory, folder, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	int rc = fsync(fd) < 0 ? -errno : 0;
	io_close(&fd);
	return rc;
}

static bool any_large(const struct bytes *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (values[i].n > LARGE_LEAST)
			return true;
	return false;
}

int large_write(int directory, const struct bytes *values, size_t n,
		struct large_ref *refs, uint64_t *file)
{
	char part[NAME], name[NAME];
	*file = 0;
	if (!any_large(values, n))
		return 0;
	int rc = digest_random(file, sizeof *file);
	if (rc < 0)
		return rc;
	*file |= 1;
	name_of(*file, part_end, part);
	name_of(*file, "", name);
	int fd = file_open(directory, part, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	rc = write_values(fd, values, n, refs, *file);
	if (close(fd) < 0 && errno != EINTR && rc == 0)
		rc = -errno;
	if (rc == 0)
		rc = publish(directory, part, name);
	if (rc < 0) {
		(void)unlinkat(directory, part, 0);
		(void)unlinkat(directory, name, 0);
		*file = 0;
	}
	return rc;
}

void large_remove(int directory, uint64_t file)
{
	char name[NAME];
	if (file == 0)
		return;
	name_of(file, "", name);
	(void)unlinkat(directory, name, 0);
}

void large_clean(int directory)
{
	int fd = file_open(directory, folder, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		io_close(&fd);
		return;
	}
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct stat st;
		const char *end = strrchr(e->d_name, '.');
		if (end && strcmp(end, part_end) == 0 &&
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < time(NULL) - FORGOTTEN)
			(void)unlinkat(fd, e->d_name, 0);
	}
	(void)closedir(d);
}

/* The file of a reference, open. */
static int open_ref(int directory, const struct large_ref *ref)
{
	char name[NAME];
	struct stat st;
	name_of(ref->file, "", name);
	int fd = file_open(directory, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP ? -EBADMSG : fd;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;
	uint64_t size =
		rc == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (rc == 0 && (ref->at > size || ref->size > size - ref->at))
		rc = -EBADMSG;
	if (rc == 0)
		return fd;
	io_close(&fd);
	return rc;
}

int large_look(int directory, const struct large_ref *ref)
{
	int fd = open_ref(directory, ref);
	if (fd < 0)
		return fd;
	io_close(&fd);
	return 0;
}

static int read_all(int fd, unsigned char *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t done = pread(fd, p, n < AT_ONCE ? n : AT_ONCE, at);
		if (done == 0)
			return -EBADMSG;
		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
			at += done;
		}
	}
	return 0;
}

int large_read(int directory, const struct large_ref *ref, void *out)
{
	int fd = open_ref(directory, ref);
	if (fd < 0)
		return fd;
	int rc = read_all(fd, out, (size_t)ref->size, (off_t)ref->at);
	io_close(&fd);
	if (rc == 0 && crc32c(0, out, (size_t)ref->size) != ref->crc)
		rc = -EBADMSG;
	return rc;
}
