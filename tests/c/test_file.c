/* Files of a store: whose they are, links, and what becomes of a write that is
 * too much. */
#include "file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static int directory;

static void test_open(void)
{
	struct stat st;
	mode_t mask = umask(0);
	CHECK(file_open(directory, "new", O_RDONLY) == -ENOENT);
	int fd = file_open(directory, "new", O_WRONLY | O_CREAT | O_EXCL);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(close(fd) == 0);
	CHECK(symlinkat("new", directory, "link") == 0);
	CHECK(file_open(directory, "link", O_RDONLY) == -ELOOP);
	(void)umask(mask);
}

static void test_write(void)
{
	enum { MOST = 10000 };
	static unsigned char bytes[3 * MOST], got[MOST];
	struct rlimit old, now;
	struct stat st;
	int fd = file_open(directory, "new", O_RDWR);
	CHECK(fd >= 0);
	memset(bytes, 7, sizeof bytes);
	CHECK(file_write(fd, bytes, 0) == 0);
	CHECK(file_write(fd, bytes, 4) == 0 && file_write(fd, "abc", 3) == 0);
	CHECK(pread(fd, got, sizeof got, 0) == 7 &&
	      memcmp(got + 4, "abc", 3) == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	now = (struct rlimit){MOST, old.rlim_max};
	CHECK(setrlimit(RLIMIT_FSIZE, &now) == 0);
	CHECK(file_write(fd, bytes, sizeof bytes) == -EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_size <= MOST);
	CHECK(close(fd) == 0);
	fd = file_open(directory, "new", O_RDONLY);
	CHECK(file_write(fd, bytes, 1) == -EBADF);
	CHECK(close(fd) == 0);
	fd = open("/dev/full", O_WRONLY);
	CHECK(fd < 0 || file_write(fd, bytes, 1) == -ENOSPC);
	CHECK(fd < 0 || close(fd) == 0);
}

static void test_read(void)
{
	char got[8] = "";
	int fd = file_open(directory, "read", O_RDWR | O_CREAT);
	CHECK(fd >= 0 && file_write(fd, "abcdef", 6) == 0);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(file_read(fd, got, 4) == 0 && strcmp(got, "abcd") == 0);
	CHECK(file_read(fd, got, 0) == 0);
	CHECK(file_read(fd, got, 3) == -ENODATA);
	CHECK(close(fd) == 0);
	CHECK(file_read(directory, got, 1) == -EISDIR);
}

int main(void)
{
	CHECK(tmpdir_make("/tmp", base) == 0);
	directory = open(base, O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	test_open();
	test_write();
	test_read();
	CHECK(close(directory) == 0);
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
