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
		rc = newfile_publish(&f, target, replace);
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
	struct stat st;
	mode_t mask = umask(027);
	CHECK(put("four", true) == 0);
	CHECK(stat(target, &st) == 0 && (st.st_mode & 0777) == 0640);
	(void)umask(mask);
	CHECK(unlink(target) == 0);
}

/* Somebody else's file, made meanwhile, is not replaced. */
static void test_race(void)
{
	struct newfile f;
	CHECK(newfile_open(&f, target, false) == 0);
	int fd = open(target, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && write(fd, "theirs", 6) == 6 && close(fd) == 0);
	CHECK(newfile_publish(&f, target, false) == -EEXIST);
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
	test_race();
	test_refused();
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
