/*
 * A directory that LMDB is to open, looked at before: what is not there, or is
 * empty, it would make, and what is another user's may be changed by him.
 */
#ifndef POOL_LMDB_DIR_H
#define POOL_LMDB_DIR_H

#include <stdbool.h>
#include <sys/stat.h>

/* The open directory, and what data.mdb in it is. `create`: there must be none
 * (-EEXIST). Otherwise -errno: -ENOENT: no such directory, -EPROTO: it has no
 * such file, -EPERM: that or the directory is another user's, -EREMOTE,
 * -EBADMSG. */
int lmdb_dir_open(const char *path, bool create, struct stat *data);

#endif
