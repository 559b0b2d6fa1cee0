/* A file that takes its place when it is whole. */
#include "newfile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static char target[TMPDIR_MAX + 20];

static int entries(void)
{
	DIR *d = opendir(base);
	CHECK(d);
	int n = 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += strcmp(e->d_name, ".") != 0 &&
		     strcmp(e->d_name, "..") != 0;
	CHECK(closedir(d) == 0);
	return n;
}

static void content(const char *path, const char *expected)
{
	char got[100] = "";
	int fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	ssize_t n = read(fd, got, sizeof(got) - 1);
	CHECK(n >= 0);
	CHECK(close(fd) == 0);
	CHECK(strcmp(got, expected) == 0);
}

static int put(const char *text, bool replace)
{
	struct newfile f;
	int rc = newfile_open(&f, target, replace);
	if (rc == 0) {
		CHECK(write(f.fd, text, strlen(text)) > 0);
		rc = newfile_publish(&f);
	}
	newfile_drop(&f);
	newfile_drop(&f);
	return rc;
}

static void test_put(void)
{
	CHECK(put("one", false) == 0);
	content(target, "one");
	CHECK(put("two", false) == -EEXIST);
	CHECK(put("three", true) == 0);
	content(target, "three");
	CHECK(entries() == 1);
	struct newfile f;
	CHECK(newfile_open(&f, target, true) == 0);
	CHECK(entries() == 2);
	content(target, "three");
	newfile_drop(&f);
	CHECK(entries() == 1);
	CHECK(unlink(target) == 0);
}

static void mode_is(mode_t mode)
{
	struct stat st;
	CHECK(stat(target, &st) == 0 && (st.st_mode & 0777) == mode);
}

/* A new file has what the mask leaves, another one what the old one had. */
static void test_permissions(void)
{
	mode_t mask = umask(027);
	CHECK(put("one", true) == 0);
	mode_is(0640);
	CHECK(chmod(target, 0600) == 0);
	CHECK(put("two", true) == 0);
	mode_is(0600);
	CHECK(chmod(target, 0666) == 0);
	CHECK(put("three", true) == 0);
	mode_is(0666);
	(void)umask(mask);
	CHECK(unlink(target) == 0);
}

/* A link stays one: the file that it leads to is replaced, beside where that
 * is. */
static void test_link(void)
{
	char below[sizeof(target) + 10];
	char file[sizeof(below) + 10];
	struct stat st;
	(void)snprintf(below, sizeof(below), "%s/below", base);
	(void)snprintf(file, sizeof(file), "%s/real", below);
	CHECK(mkdir(below, 0700) == 0);
	CHECK(symlink("below/real", target) == 0);
	CHECK(put("none", false) == -EEXIST); /* leads nowhere */
	CHECK(put("none", true) == -ENOENT);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(put("none", false) == -EEXIST);
	CHECK(put("one", true) == 0);
	CHECK(lstat(target, &st) == 0 && S_ISLNK(st.st_mode));
	content(file, "one");
	mode_is(0600);
	CHECK(entries() == 2);
	CHECK(unlink(target) == 0 && unlink(file) == 0 && rmdir(below) == 0);
}

/* Somebody else's file, made meanwhile, is not replaced. */
static void test_race(void)
{
	struct newfile f;
	CHECK(newfile_open(&f, target, false) == 0);
	int fd = open(target, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && write(fd, "theirs", 6) == 6 && close(fd) == 0);
	CHECK(newfile_publish(&f) == -EEXIST);
	newfile_drop(&f);
	content(target, "theirs");
	CHECK(entries() == 1);
	CHECK(unlink(target) == 0);
}

static void test_refused(void)
{
	struct newfile f;
	CHECK(newfile_open(&f, base, true) == -EISDIR);
	CHECK(newfile_open(&f, "/dev/null", true) == -EINVAL);
	CHECK(newfile_open(&f, "/no/such/place", true) == -ENOENT);
	newfile_drop(&f);
}

int main(void)
{
	CHECK(tmpdir_make("/tmp", base) == 0);
	(void)snprintf(target, sizeof(target), "%s/file", base);
	test_put();
	test_permissions();
	test_link();
	test_race();
	test_refused();
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
