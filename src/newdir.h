/*
 * A directory that takes its place when it is whole: made under a name of its
 * own beside that place, then renamed. It goes the other way round. What is
 * left of one by a death is removed by whoever makes the next one there. What
 * fails is -errno.
 */
#ifndef POOL_NEWDIR_H
#define POOL_NEWDIR_H

/* parent/name, where it is to be. The caller frees all paths. -EINVAL for what
 * is no name, or begins with a dot. */
int newdir_path(const char *parent, const char *name, char **path);

/* Makes an empty one, of mode 0700. */
int newdir_make(const char *parent, char **path);

/* Puts it in its place, on the disk; -EEXIST: that is taken. It stays where it
 * was, if that fails. */
int newdir_publish(const char *path, const char *parent, const char *place);

/* Takes one away from its place, with all that it holds; -ENOENT. */
int newdir_remove(const char *parent, const char *place);

#endif
