/*
 * Every write, sync, rename and the like of this process, LMDB's too, goes
 * through here: the program's own functions of these names come before the C
 * library's. A test defines on_call(), which is called before and after each.
 */
#ifndef POOL_TEST_HOOK_H
#define POOL_TEST_HOOK_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
	CALL_WRITE,
	CALL_SYNC,
	CALL_RENAME,
	CALL_MKDIR,
	CALL_REMOVE,
	CALL_TRUNCATE,
};

struct called {
	enum call call;
	int fd;		  /* the file, or the directory that `from` is in */
	const char *from; /* a name, if it is about one */
	const char *to;	  /* of CALL_RENAME */
	const struct iovec *piece;
	int pieces;
	off_t at;
};

static void on_call(const struct called *c, bool after);

#define REAL(name)                                                             \
	static __typeof__(&name) real;                                         \
	if (!real) {                                                           \
		union {                                                        \
			void *found;                                           \
			__typeof__(&name) function;                            \
		} u = {.found = dlsym(RTLD_NEXT, #name)};                      \
		real = u.function;                                             \
	}

#define HOOKED(type, expression, ...)                                          \
	const struct called called = {__VA_ARGS__};                            \
	on_call(&called, false);                                               \
	type result = (expression);                                            \
	on_call(&called, true);                                                \
	return result

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	REAL(pwrite)
	struct iovec piece = {(void *)(size_t)bytes, n};
	HOOKED(ssize_t, real(fd, bytes, n, at), .call = CALL_WRITE, .fd = fd,
	       .piece = &piece, .pieces = 1, .at = at);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	REAL(write)
	struct iovec piece = {(void *)(size_t)bytes, n};
	HOOKED(ssize_t, real(fd, bytes, n), .call = CALL_WRITE, .fd = fd,
	       .piece = &piece, .pieces = 1, .at = lseek(fd, 0, SEEK_CUR));
}

ssize_t writev(int fd, const struct iovec *piece, int pieces)
{
	REAL(writev)
	HOOKED(ssize_t, real(fd, piece, pieces), .call = CALL_WRITE, .fd = fd,
	       .piece = piece, .pieces = pieces, .at = lseek(fd, 0, SEEK_CUR));
}

ssize_t pwritev(int fd, const struct iovec *piece, int pieces, off_t at)
{
	REAL(pwritev)
	HOOKED(ssize_t, real(fd, piece, pieces, at), .call = CALL_WRITE,
	       .fd = fd, .piece = piece, .pieces = pieces, .at = at);
}

int fsync(int fd)
{
	REAL(fsync)
	HOOKED(int, real(fd), .call = CALL_SYNC, .fd = fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync)
	HOOKED(int, real(fd), .call = CALL_SYNC, .fd = fd);
}

int rename(const char *from, const char *to)
{
	REAL(rename)
	HOOKED(int, real(from, to), .call = CALL_RENAME, .fd = AT_FDCWD,
	       .from = from, .to = to);
}

int renameat(int fd, const char *from, int there, const char *to)
{
	REAL(renameat)
	HOOKED(int, real(fd, from, there, to), .call = CALL_RENAME, .fd = fd,
	       .from = from, .to = to);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir)
	HOOKED(int, real(path, mode), .call = CALL_MKDIR, .fd = AT_FDCWD,
	       .from = path);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
	REAL(mkdirat)
	HOOKED(int, real(fd, path, mode), .call = CALL_MKDIR, .fd = fd,
	       .from = path);
}

int unlink(const char *path)
{
	REAL(unlink)
	HOOKED(int, real(path), .call = CALL_REMOVE, .fd = AT_FDCWD,
	       .from = path);
}

int unlinkat(int fd, const char *path, int flags)
{
	REAL(unlinkat)
	HOOKED(int, real(fd, path, flags), .call = CALL_REMOVE, .fd = fd,
	       .from = path);
}

int rmdir(const char *path)
{
	REAL(rmdir)
	HOOKED(int, real(path), .call = CALL_REMOVE, .fd = AT_FDCWD,
	       .from = path);
}

int ftruncate(int fd, off_t size)
{
	REAL(ftruncate)
	HOOKED(int, real(fd, size), .call = CALL_TRUNCATE, .fd = fd,
	       .at = size);
}

#endif
