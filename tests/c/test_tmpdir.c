/* Temporary directories: where they are made, and that all of one goes, nothing
 * else. */
#include "tmpdir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "test.h"

static char top[] = "/tmp/test_tmpdirXXXXXX";

static bool exists(const char *path)
{
	struct stat s;
	return lstat(path, &s) == 0;
}

/* A path in the directory of this test; good until the third call. */
static const char *in(const char *name)
{
	static char paths[2][TMPDIR_MAX];
	static int i;
	i = !i;
	(void)snprintf(paths[i], TMPDIR_MAX, "%s/%s", top, name);
	return paths[i];
}

static void make_file(const char *name)
{
	int fd = open(in(name), O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

static void make_dir(const char *name)
{
	CHECK(mkdir(in(name), 0700) == 0);
}

/* ---- making ---- */

static void check_made(const char *base)
{
	char path[TMPDIR_MAX], other[TMPDIR_MAX];
	struct stat s;
	CHECK(tmpdir_make(base, path) == 0 && tmpdir_make(base, other) == 0);
	size_t n = strlen(base);
	CHECK(strncmp(path, base, n) == 0 && path[n] == '/');
	CHECK(!strchr(path + n + 1, '/') && strcmp(path, other) != 0);
	CHECK(stat(path, &s) == 0 && S_ISDIR(s.st_mode));
	CHECK((s.st_mode & 07777) == 0700);
	CHECK(tmpdir_remove(path) == 0 && tmpdir_remove(other) == 0);
	CHECK(!exists(path) && !exists(other));
}

static void made(void)
{
	char path[TMPDIR_MAX];
	make_dir("a");
	make_file("file");
	check_made(in("a"));
	CHECK(tmpdir_make(in("nowhere"), path) == -ENOENT && path[0] == '\0');
	CHECK(tmpdir_make(in("file"), path) == -ENOTDIR);
	CHECK(rmdir(in("a")) == 0 && unlink(in("file")) == 0);
}

static void too_long(void)
{
	char path[TMPDIR_MAX], deep[TMPDIR_MAX + 200];
	(void)snprintf(deep, sizeof(deep), "%s", top);
	while (strlen(deep) < TMPDIR_MAX) { /* "./" leads nowhere else */
		size_t n = strlen(deep);
		(void)snprintf(deep + n, sizeof(deep) - n, "/.");
	}
	path[0] = 'x';
	CHECK(tmpdir_make(deep, path) == -ENAMETOOLONG && path[0] == '\0');
	deep[TMPDIR_MAX - 12] = '\0'; /* "/poolXXXXXX" just does not fit */
	CHECK(tmpdir_make(deep, path) == 0);
	CHECK(strlen(path) == TMPDIR_MAX - 1);
	CHECK(tmpdir_remove(path) == 0 && !exists(path));
}

/* ---- names ---- */

static void named(void)
{
	char path[TMPDIR_MAX], name[TMPDIR_NAME];
	static const char *const bad[] = {"",	 ".",	 "..",	 ".hidden",
					  "a/b", "/etc", "../x", "a/"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(name, 0, sizeof(name));
		memcpy(name, bad[i], strlen(bad[i]));
		CHECK(tmpdir_in("/base", name, path) == -EINVAL);
	}
	memset(name, 'a', sizeof(name)); /* without an end */
	CHECK(tmpdir_in("/base", name, path) == -EINVAL);
	name[TMPDIR_NAME - 1] = '\0';
	CHECK(tmpdir_in("/base", name, path) == 0);
	CHECK(strncmp(path, "/base/aaaa", 10) == 0);
	CHECK(strlen(path) == 6 + TMPDIR_NAME - 1);
	memcpy(name, "RtmpAbc123", 11);
	CHECK(tmpdir_in("/base", name, path) == 0);
	CHECK(strcmp(path, "/base/RtmpAbc123") == 0);
	char base[TMPDIR_MAX];
	memset(base, 'b', sizeof(base));
	base[TMPDIR_MAX - 11] = '\0';
	CHECK(tmpdir_in(base, name, path) == -ENAMETOOLONG);
}

/* ---- removing ---- */

static void removed(void)
{
	CHECK(tmpdir_remove("") == 0);
	CHECK(tmpdir_remove(in("never there")) == 0);
	make_dir("tree");
	CHECK(tmpdir_remove(in("tree")) == 0 && !exists(in("tree")));
	make_dir("tree");
	make_dir("tree/.hidden");
	make_dir("tree/two");
	make_dir("tree/two/three");
	make_file("tree/file");
	make_file("tree/.hidden/file");
	make_file("tree/two/three/\n name");
	CHECK(mkfifo(in("tree/fifo"), 0600) == 0);
	CHECK(chmod(in("tree/file"), 0) == 0);
	for (int i = 0; i < 500; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "tree/two/%d", i);
		make_file(name);
	}
	CHECK(tmpdir_remove(in("tree")) == 0 && !exists(in("tree")));
}

/* Deeper than descriptors are used for. */
static void deep(void)
{
	char name[TMPDIR_MAX] = "tree";
	make_dir(name);
	for (int i = 0; i < 100; i++) {
		size_t n = strlen(name);
		(void)snprintf(name + n, sizeof(name) - n, "/%c", 'a' + i % 26);
		make_dir(name);
		if (i % 10 == 0) {
			n = strlen(name);
			(void)snprintf(name + n, sizeof(name) - n, "/file");
			make_file(name);
			name[n] = '\0';
		}
	}
	CHECK(tmpdir_remove(in("tree")) == 0 && !exists(in("tree")));
}

/* A link goes, not what it points to. */
static void links_not_followed(void)
{
	make_dir("outside");
	make_file("outside/precious");
	make_dir("tree");
	make_dir("tree/sub");
	CHECK(symlink(in("outside"), in("tree/to_dir")) == 0);
	CHECK(symlink("../../outside", in("tree/sub/relative")) == 0);
	CHECK(symlink(in("outside/precious"), in("tree/to_file")) == 0);
	CHECK(symlink("nowhere", in("tree/dangling")) == 0);
	CHECK(symlink("..", in("tree/sub/up")) == 0);
	CHECK(link(in("outside/precious"), in("tree/hard")) == 0);
	CHECK(tmpdir_remove(in("tree")) == 0 && !exists(in("tree")));
	CHECK(exists(in("outside/precious")));
	CHECK(symlink(in("outside"), in("tree")) == 0); /* itself one */
	CHECK(tmpdir_remove(in("tree")) == 0 && !exists(in("tree")));
	CHECK(exists(in("outside/precious")));
	CHECK(unlink(in("outside/precious")) == 0);
	CHECK(rmdir(in("outside")) == 0);
}

/* Directories that forbid it are the owner's all the same. */
static void read_only(void)
{
	CHECK(chmod(top, 0777) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(getuid() != 0 || setuid(65534) == 0);
		make_dir("tree");
		make_dir("tree/fixed");
		make_dir("tree/fixed/below");
		make_file("tree/fixed/below/file");
		make_dir("tree/closed");
		make_file("tree/closed/file");
		make_dir("tree/sealed");
		make_dir("tree/sealed/inside");
		make_file("tree/sealed/inside/file");
		CHECK(chmod(in("tree/sealed/inside"), 0) == 0);
		CHECK(chmod(in("tree/sealed"), 0) == 0);
		CHECK(chmod(in("tree/closed"), 0) == 0);
		CHECK(chmod(in("tree/fixed/below"), 0500) == 0);
		CHECK(chmod(in("tree/fixed"), 0500) == 0);
		CHECK(tmpdir_remove(in("tree")) == 0);
		_exit(0);
	}
	test_wait_ok(pid);
	CHECK(!exists(in("tree")));
}

int main(void)
{
	CHECK(mkdtemp(top));
	made();
	too_long();
	named();
	removed();
	deep();
	links_not_followed();
	read_only();
	CHECK(rmdir(top) == 0);
	return 0;
}
