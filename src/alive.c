/* Who is alive: one locked byte for each claimant. */
#include "alive.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io.h"

enum { TURNS = 1 << 20 }; /* their bytes, behind all slots */

static struct flock byte_at(short type, off_t at)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = at,
			      .l_len = 1};
}

static int lock_once(int fd, int command, short type, off_t at)
{
	struct flock l = byte_at(type, at);
	if (fcntl(fd, command, &l) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return command == F_GETLK ? l.l_type != F_UNLCK : 0;
}

static int lock(int fd, int command, short type, off_t at)
{
	int rc;
	do
		rc = lock_once(fd, command, type, at);
	while (rc == -EINTR);
	return rc;
}

int alive_open(struct alive *a, int directory, const char *name)
{
	*a = (struct alive){.fd = -1};
	do
		a->fd = openat(directory, name,
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (a->fd < 0 && errno == EINTR);
	return a->fd < 0 ? -errno : 0;
}

void alive_close(struct alive *a)
{
	io_close(&a->fd);
	*a = (struct alive){.fd = -1};
}

static uint64_t bit(int slot)
{
	return UINT64_C(1) << (slot % ALIVE_WORD);
}

static bool is_own(const struct alive *a, int slot)
{
	return (a->own[slot / ALIVE_WORD] & bit(slot)) != 0;
}

int alive_take(struct alive *a)
{
	for (int slot = 0; slot < ALIVE_SLOTS; slot++) {
		if (is_own(a, slot))
			continue;
		int rc = lock(a->fd, F_SETLK, F_WRLCK, slot);
		if (rc == -EAGAIN)
			continue;
		if (rc < 0)
			return rc;
		a->own[slot / ALIVE_WORD] |= bit(slot);
		return slot;
	}
	return -EUSERS;
}

void alive_leave(struct alive *a, int slot)
{
	a->own[slot / ALIVE_WORD] &= ~bit(slot);
	(void)lock(a->fd, F_SETLK, F_UNLCK, slot);
}

int alive_renew(struct alive *a, int slot)
{
	int rc = lock(a->fd, F_SETLK, F_WRLCK, slot);
	if (rc != -EAGAIN)
		return rc;
	a->own[slot / ALIVE_WORD] &= ~bit(slot);
	return -EOWNERDEAD;
}

int alive_is(const struct alive *a, int slot)
{
	if (slot < 0 || slot >= ALIVE_SLOTS)
		return 0;
	return is_own(a, slot) ? 1 : lock(a->fd, F_GETLK, F_WRLCK, slot);
}

int alive_enter(const struct alive *a, enum alive_turn turn, bool tell)
{
	off_t at = TURNS + (off_t)turn;
	return tell ? lock_once(a->fd, F_SETLKW, F_WRLCK, at)
		    : lock(a->fd, F_SETLKW, F_WRLCK, at);
}

int alive_try(const struct alive *a, enum alive_turn turn)
{
	return lock(a->fd, F_SETLK, F_WRLCK, TURNS + (off_t)turn);
}

void alive_pass(const struct alive *a, enum alive_turn turn)
{
	(void)lock(a->fd, F_SETLK, F_UNLCK, TURNS + (off_t)turn);
}

pid_t alive_holder(const struct alive *a, enum alive_turn turn)
{
	struct flock l = byte_at(F_WRLCK, TURNS + (off_t)turn);
	if (fcntl(a->fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid > 0 ? l.l_pid : -1;
}
