/* The files of a job: names that lead nowhere else, contents as a whole. */
#include "job_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "file.h"
#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static int directory;

static void is(const char *name, const char *text)
{
	char got[200] = "";
	uint64_t size = 0;
	int fd = job_file_open(directory, name, &size);
	CHECK(fd >= 0 && size == strlen(text));
	CHECK(file_read(fd, got, (size_t)size) == 0);
	CHECK(strcmp(got, text) == 0);
	CHECK(file_read(fd, got, 1) == -ENODATA);
	CHECK(close(fd) == 0);
}

static int put(const char *name, const char *text)
{
	return job_file_put(directory, name, text, strlen(text));
}

static int opens(const char *name)
{
	uint64_t size;
	int fd = job_file_open(directory, name, &size);
	if (fd >= 0)
		CHECK(close(fd) == 0);
	return fd < 0 ? fd : 0;
}

static char listed[4096];

static int note(void *arg, const char *name, uint64_t size)
{
	int *left = arg;
	size_t n = strlen(listed);
	(void)snprintf(listed + n, sizeof listed - n, "%s=%d;", name,
		       (int)size);
	return (*left)-- == 0 ? -ECANCELED : 0;
}

static int list(int most)
{
	listed[0] = '\0';
	return job_file_list(directory, note, &most);
}

static void test_names(void)
{
	static const char *const bad[] = {
		"",	"/",	  "/etc/passwd", ".",	    "..",
		"../x", "a/../b", "a/.",	 "a//b",    "a/",
		"./a",	"a/..",	  "//",		 ".part-1", "a/.part-0/b"};
	char name[1200];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(put(bad[i], "x") == -EINVAL);
		CHECK(opens(bad[i]) == -EINVAL);
	}
	memset(name, 'n', sizeof name);
	name[1100] = '\0';
	CHECK(put(name, "x") == -ENAMETOOLONG);
	name[300] = '\0';
	CHECK(put(name, "x") == -ENAMETOOLONG);
	for (size_t i = 0; i < 100; i += 2)
		memcpy(name + i, "d/", 2);
	name[100] = '\0';
	CHECK(put(name, "x") == -EINVAL); /* too deep */
	CHECK(list(99) == 0 && listed[0] == '\0');
}

static void test_links(void)
{
	char path[TMPDIR_MAX + 40];
	struct stat st;
	CHECK(put("d/real", "real") == 0);
	(void)snprintf(path, sizeof path, "%s/files/out", base);
	CHECK(symlink("/tmp", path) == 0);
	CHECK(put("out/x", "x") == -ENOTDIR || put("out/x", "x") == -ELOOP);
	CHECK(opens("out/x") < 0);
	(void)snprintf(path, sizeof path, "%s/files/to", base);
	CHECK(symlink("d/real", path) == 0);
	CHECK(opens("to") == -ELOOP);
	CHECK(put("to", "own") == 0); /* in the place of the link */
	CHECK(lstat(path, &st) == 0 && S_ISREG(st.st_mode));
	is("to", "own");
	is("d/real", "real");
	(void)snprintf(path, sizeof path, "%s/files/pipe", base);
	CHECK(mkfifo(path, 0600) == 0);
	CHECK(opens("pipe") == -EINVAL);
	CHECK(list(99) == 0);
	CHECK(!strstr(listed, "out") && !strstr(listed, "pipe"));
}

int main(void)
{
	char path[TMPDIR_MAX + 40];
	struct stat st;
	CHECK(tmpdir_make("/tmp", base) == 0);
	directory = open(base, O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	int before = test_descriptors(getpid());
	CHECK(list(99) == 0 && listed[0] == '\0');
	CHECK(opens("none") == -ENOENT && opens("none/none") == -ENOENT);
	CHECK(put("stdout/3.txt", "hello") == 0);
	is("stdout/3.txt", "hello");
	(void)snprintf(path, sizeof path, "%s/files/stdout/3.txt", base);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	(void)snprintf(path, sizeof path, "%s/files/stdout", base);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
	CHECK(put("stdout/3.txt", "") == 0);
	is("stdout/3.txt", "");
	CHECK(opens("stdout") == -EISDIR);
	CHECK(put("stdout", "x") == -EISDIR);
	CHECK(put("stdout/3.txt/4", "x") == -ENOTDIR);
	CHECK(put("..a", "two") == 0 && put("b..", "2") == 0);
	is("..a", "two");

	(void)snprintf(path, sizeof path, "%s/other", base);
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && write(fd, "copied", 6) == 6 && close(fd) == 0);
	CHECK(job_file_copy(directory, "a/b/c", path) == 0);
	is("a/b/c", "copied");
	CHECK(job_file_copy(directory, "a/b/c", "/no/such") == -ENOENT);
	CHECK(job_file_copy(directory, "a/b/c", base) == -EISDIR);
	CHECK(job_file_copy(directory, "a/b/c", "/dev/zero") == -EINVAL);
	is("a/b/c", "copied");
	CHECK(list(99) == 0);
	CHECK(strstr(listed, "a/b/c=6;") && strstr(listed, "..a=3;") &&
	      strstr(listed, "stdout/3.txt=0;") && strstr(listed, "b..=1;"));
	CHECK(!strstr(listed, ".part-"));
	CHECK(list(1) == -ECANCELED);
	CHECK(test_descriptors(getpid()) == before);
	CHECK(tmpdir_remove(base) == 0);
	CHECK(mkdir(base, 0700) == 0);
	CHECK(close(directory) == 0);
	directory = open(base, O_RDONLY | O_DIRECTORY);
	test_names();
	test_links();
	CHECK(test_descriptors(getpid()) == before);
	CHECK(close(directory) == 0);
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
