/* Private temporary directories: mode 0700, removed with all they hold. */
#ifndef POOL_TMPDIR_H
#define POOL_TMPDIR_H

#include <stddef.h>

enum { TMPDIR_MAX = 512, TMPDIR_NAME = 32 };

/* Makes a directory in `parent`; 0 or -errno. */
int tmpdir_make(const char *parent, char path[TMPDIR_MAX]);

/* The path of a directory in `base`; -EINVAL for a name that is none. */
int tmpdir_in(const char *base, const char name[TMPDIR_NAME],
	      char path[TMPDIR_MAX]);

/* Removes a tree, links not followed; what is already gone is fine. */
int tmpdir_remove(const char *path);

#endif
