/*
 * Descriptors: socket pairs, sending that cannot raise SIGPIPE, passing
 * descriptors, and what becomes of those a child inherits. All retry EINTR
 * except io_wait(), which reports it so that a caller can look at its signals.
 */
#ifndef POOL_IO_H
#define POOL_IO_H

#include <stddef.h>
#include <sys/types.h>

/* A connected pair of stream sockets, close-on-exec. */
int io_pair(int fd[2]);

/* Closes *fd if it is open and sets it to -1. */
void io_close(int *fd);

/* How many descriptors a process may have. Numbers are given out lowest first:
 * they tell how many it has. */
size_t io_most(void);

/* What can be sent or received without waiting: a count, or -errno (-EAGAIN;
 * -EPIPE when the peer is gone). */
ssize_t io_send(int fd, const void *bytes, size_t n);
ssize_t io_recv(int fd, void *bytes, size_t n);

/* The same, with a descriptor: `pass` travels with the first byte; received
 * into *passed (-1: none; -EMFILE: one that is lost). */
ssize_t io_send_fd(int fd, const void *bytes, size_t n, int pass);
ssize_t io_recv_fd(int fd, void *bytes, size_t n, int *passed);

/* Waits until `events` (POLLIN, POLLOUT) or hang-up: 1; 0 after `ms`
 * milliseconds (-1: no limit); -EINTR. */
int io_wait(int fd, short events, int ms);

/* In a forked child: every descriptor above 2 but `keep` becomes one end of a
 * dead socket pair, so that its number stays taken and its use harmless. */
int io_replace_inherited(int keep);

/* Standard input from /dev/null; output and errors appended to `path`, unless
 * it is empty. */
int io_redirect(const char *path);

#endif
