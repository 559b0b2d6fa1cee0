/*
 * Who is alive: each claimant of a directory holds the lock of one byte, its
 * slot, of a file that all of them have open. The kernel lets go of it when the
 * process ends, in whatever way, and no child has it.
 *
 * Any descriptor of that file that a process closes takes all its locks away
 * (they are POSIX's), so a process opens it once, and keeps it open. What fails
 * is -errno.
 */
#ifndef POOL_ALIVE_H
#define POOL_ALIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { ALIVE_SLOTS = 1024, ALIVE_WORD = 64 };

struct alive {
	int fd; /* -1: not open */
	/* Slots of this process's own: to itself its locks do not show. */
	uint64_t own[ALIVE_SLOTS / ALIVE_WORD];
};

/* The file `name` in a directory, made if it is not there. */
int alive_open(struct alive *a, int directory, const char *name);
void alive_close(struct alive *a);

/* Takes a free slot: its number; -EUSERS: there is none. */
int alive_take(struct alive *a);
void alive_leave(struct alive *a, int slot);

/* Takes a slot of ours once more, whatever happened to its lock; -EOWNERDEAD:
 * somebody else has it, to whom we were dead. */
int alive_renew(struct alive *a, int slot);

/* 1: its claimant lives, 0: it is dead. */
int alive_is(const struct alive *a, int slot);

/* Turns: one process at a time has each. Who waits and is killed, or has it and
 * is, keeps nobody waiting. */
enum alive_turn { ALIVE_DOOR, ALIVE_WRITE, ALIVE_READ };

/* Waits for it; -EINTR where a handler ran meanwhile, if that is to be told. */
int alive_enter(const struct alive *a, enum alive_turn turn, bool tell);

/* Has it at once, or -EAGAIN. */
int alive_try(const struct alive *a, enum alive_turn turn);
void alive_pass(const struct alive *a, enum alive_turn turn);

/* The other process that has it; -1: one that cannot be seen from here; 0:
 * there is none. */
pid_t alive_holder(const struct alive *a, enum alive_turn turn);

#endif
