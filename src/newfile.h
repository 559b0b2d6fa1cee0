/*
 * A file that takes its place when it is whole: written under a name of its own
 * beside the destination, then renamed. Until then the destination is as it
 * was.
 */
#ifndef POOL_NEWFILE_H
#define POOL_NEWFILE_H

#include <stdbool.h>

struct newfile {
	char *path;	   /* the temporary one; NULL: there is none */
	char *destination; /* where a link leads, if it was one */
	bool replace;
	int fd; /* open for reading and writing; -1: not */
};

/* Begins one for the destination, with the permissions of a file that it is to
 * replace; 0 or -errno: -EEXIST where the destination is there and may not be
 * replaced, -EISDIR, -EINVAL where it is neither a file nor a directory. */
int newfile_open(struct newfile *f, const char *destination, bool replace);

/* Closes it and puts it in its place; 0, or -errno and both are as before. */
int newfile_publish(struct newfile *f);

/* Removes it, if it is still there. */
void newfile_drop(struct newfile *f);

#endif
