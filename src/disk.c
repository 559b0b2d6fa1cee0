/* Disks: of this machine or not, full or not. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

/* As in statfs(2). What is in user space may be of any machine: FUSE is among
 * them. */
static const unsigned long remote[] = {
	0x6969,	    /* NFS */
	0xff534d42, /* CIFS */
	0xfe534d42, /* SMB2 */
	0x517b,	    /* SMB */
	0x65735546, /* FUSE */
	0x01021997, /* 9P */
	0x00c36400, /* Ceph */
	0x5346414f, /* AFS */
	0x6b414653, /* kAFS */
	0x73757245, /* Coda */
	0x564c,	    /* NCP */
	0x0bd00bd0, /* Lustre */
	0x01161970, /* GFS2 */
	0x7461636f, /* OCFS2 */
	0x47504653, /* GPFS */
	0x786f4256, /* VirtualBox */
	0xbacbacbc, /* VMware */
	0x19830326, /* BeeGFS */
	0x20030528, /* PVFS2 */
	0xaad7aaea, /* PanFS */
	0x61636673, /* ACFS */
	0x013111a8, /* IBRIX */
	0xbeefdead, /* SNFS */
};

bool disk_is_remote(unsigned long kind)
{
	for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
		if (kind == remote[i])
			return true;
	return false;
}

int disk_local(int fd)
{
	struct statfs s;
	int rc;
	do
		rc = fstatfs(fd, &s);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return -errno;
#ifdef __linux__
	/* Some systems have a signed type for it. */
	return disk_is_remote((unsigned long)s.f_type & 0xffffffff) ? -EREMOTE
								    : 0;
#else
	return (s.f_flags & MNT_LOCAL) ? 0 : -EREMOTE;
#endif
}

int disk_why_cut(int fd)
{
	enum { CLOSE = 1 << 20 };
	struct statvfs disk;
	struct rlimit most;
	struct stat st;
	if (fstatvfs(fd, &disk) == 0 &&
	    (uint64_t)disk.f_bavail * disk.f_frsize < CLOSE)
		return -ENOSPC;
	if (getrlimit(RLIMIT_FSIZE, &most) == 0 &&
	    most.rlim_cur != RLIM_INFINITY && fstat(fd, &st) == 0 &&
	    (rlim_t)st.st_size + CLOSE > most.rlim_cur)
		return -EFBIG;
	return -EIO;
}

void disk_hold(sigset_t *old)
{
	sigset_t size;
	(void)sigemptyset(&size);
	(void)sigaddset(&size, SIGXFSZ);
	(void)sigprocmask(SIG_BLOCK, &size, old);
}

void disk_let_go(const sigset_t *old)
{
	sigset_t pending, size;
	int signal;
	(void)sigemptyset(&size);
	(void)sigaddset(&size, SIGXFSZ);
	if (!sigismember(old, SIGXFSZ) && sigpending(&pending) == 0 &&
	    sigismember(&pending, SIGXFSZ))
		(void)sigwait(&size, &signal);
	(void)sigprocmask(SIG_SETMASK, old, NULL);
}

static int fill(int fd, off_t from, off_t to)
{
	static const unsigned char zeros[4096];
	while (from < to) {
		size_t n = (size_t)(to - from);
		ssize_t done = pwrite(
			fd, zeros, n < sizeof zeros ? n : sizeof zeros, from);
		if (done < 0 && errno != EINTR)
			return -errno;
		from += done > 0 ? done : 0;
	}
	return 0;
}

int disk_reserve(int directory, const char *name, size_t n)
{
	struct stat st;
	int fd = openat(directory, name,
			O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (rc == 0 && st.st_size < (off_t)n)
		rc = fill(fd, st.st_size, (off_t)n);
#ifdef __linux__
	/* A copy may have holes; where they cannot be filled, there are none.
	 */
	if (rc == 0 && fallocate(fd, 0, 0, (off_t)n) < 0 &&
	    errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
		rc = -errno;
#endif
	if (close(fd) < 0 && errno != EINTR && rc == 0)
		rc = -errno;
	return rc;
}
