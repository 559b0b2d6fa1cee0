/*
 * The files of a job, below files/ in its directory: what tasks have printed,
 * logs. A name is relative, its parts are neither empty nor "." or "..", and no
 * link is followed: -EINVAL for other names, -ELOOP or -ENOTDIR. What fails is
 * -errno. They are put as a whole, but not synced, as results are: a power cut
 * may take the last ones.
 */
#ifndef POOL_JOB_FILE_H
#define POOL_JOB_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* Puts n bytes, or all of another file, in the place of what is there. */
int job_file_put(int directory, const char *name, const void *bytes, size_t n);
int job_file_copy(int directory, const char *name, const char *from);

/* An open file, whose size is *size; -ENOENT, -EISDIR. */
int job_file_open(int directory, const char *name, uint64_t *size);

/* One file: its name from files/ on, its size. */
typedef int job_file_each(void *arg, const char *name, uint64_t size);

/* Calls each() for all, in any order, until one returns less than 0. */
int job_file_list(int directory, job_file_each *each, void *arg);

#endif
