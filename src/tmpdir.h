/* Private temporary directories: mode 0700, removed with all they hold. */
#ifndef POOL_TMPDIR_H
#define POOL_TMPDIR_H

#include <stddef.h>

enum { TMPDIR_MAX = 512 };

/* Makes a directory below TMPDIR, TMP, TEMP or /tmp; 0 or -errno. */
int tmpdir_make(char path[TMPDIR_MAX]);

/* The path of worker `id`'s directory below `base`. */
int tmpdir_of(const char *base, unsigned long long id, char path[TMPDIR_MAX]);

/* Removes a tree, links not followed; what is already gone is fine. */
int tmpdir_remove(const char *path);

#endif
