/* A directory that LMDB is to open. */
#include "lmdb_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "disk.h"
#include "io.h"
#include "lmdb_check.h"

static int look_at_file(int directory, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || st->st_size == 0)
		return -EPROTO;
	if (st->st_uid != geteuid())
		return -EPERM;
	int rc = disk_local(directory);
	int file = rc == 0 ? openat(directory, "data.mdb",
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
			   : -1;
	if (rc == 0)
		rc = file < 0 ? -errno : lmdb_check_head(file);
	io_close(&file);
	return rc;
}

static int look(int directory, bool create, struct stat *data)
{
	struct stat own;
	int rc = fstatat(directory, "data.mdb", data, AT_SYMLINK_NOFOLLOW) < 0
			 ? -errno
			 : 0;
	if (create)
		return rc == -ENOENT ? disk_local(directory)
		       : rc == 0     ? -EEXIST
				     : rc;
	if (rc < 0)
		return rc == -ENOENT ? -EPROTO : rc;
	if (fstat(directory, &own) < 0)
		return -errno;
	return own.st_uid == geteuid() ? look_at_file(directory, data) : -EPERM;
}

int lmdb_dir_open(const char *path, bool create, struct stat *data)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOTDIR ? -EPROTO : -errno;
	int rc = look(directory, create, data);
	if (rc == 0)
		return directory;
	io_close(&directory);
	return rc;
}
