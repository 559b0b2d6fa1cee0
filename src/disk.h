/*
 * Disks. Whether a file system is of this machine, as LMDB needs it: a lock, a
 * mapping and a write to a remote one do not agree with each other. And what is
 * to be done so that a full one is no more than an error.
 */
#ifndef POOL_DISK_H
#define POOL_DISK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* The file system of an open file or directory: 0; -EREMOTE: it is one of a
 * network, or one that does not say what it is on; or -errno. */
int disk_local(int fd);

/* Between the two a file that may not become larger is an error, as a full disk
 * is, and not the end of the process; what else is blocked by then is let go,
 * too. */
void disk_hold(sigset_t *old);
void disk_let_go(const sigset_t *old);

/* Makes a file have at least n bytes on the disk, those it lacks zeros: who
 * maps it and writes there would else be killed where the disk is full. */
int disk_reserve(int directory, const char *name, size_t n);

/* Why a write to a file was cut short, which LMDB reports as -EIO: -ENOSPC or
 * -EFBIG, if one is likely. */
int disk_why_cut(int fd);

/* By the number that Linux has for its kind. */
bool disk_is_remote(unsigned long kind);

#endif
