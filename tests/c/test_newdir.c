/*
 * A directory that takes its place when it is whole: the order of what is done
 * to the disk, what is in the way, and what a death leaves.
 */
#include "newdir.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <utime.h>

#include "test_hook.h"
#include "test_job.h"

/* -- a job and a queue, as they are made: everything synced, in this order --
 */

static size_t step, last_write, names_synced, renamed, store_synced;
static size_t large_renamed, large_synced;
static bool watching, deleting;

static bool is_store(int fd)
{
	struct stat a, b;
	CHECK(fstat(fd, &a) == 0 && stat(store, &b) == 0);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_directory(int fd)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	return S_ISDIR(st.st_mode);
}

static bool is_large(int fd)
{
	char link[40], path[TMPDIR_MAX + 200];
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	CHECK(n > 0);
	path[n] = '\0';
	return strcmp(path + n - strlen("/large"), "/large") == 0;
}

static void on_call(const struct called *c, bool after)
{
	if (!watching || after)
		return;
	step++;
	if (c->call == CALL_WRITE || c->call == CALL_MKDIR)
		last_write = step;
	else if (c->call == CALL_RENAME && strncmp(c->from, "large/", 6) == 0)
		large_renamed = step;
	else if (c->call == CALL_RENAME)
		renamed = step;
	else if (c->call == CALL_SYNC && is_store(c->fd))
		store_synced = step;
	else if (c->call == CALL_SYNC && is_directory(c->fd) && is_large(c->fd))
		large_synced = step;
	else if (c->call == CALL_SYNC && is_directory(c->fd))
		names_synced = step;
	/* Not before it is out of its place, for good. */
	if (c->call == CALL_REMOVE && deleting)
		CHECK(store_synced > renamed && renamed > 0);
}

static void watch(bool on)
{
	watching = on;
	step = last_write = names_synced = renamed = store_synced = 0;
	large_renamed = large_synced = 0;
}

static void test_order(void)
{
	watch(true);
	struct job *j = test_create("order", 45);
	CHECK(0 < large_renamed && large_renamed < large_synced);
	CHECK(large_synced < names_synced && last_write < names_synced);
	CHECK(names_synced < renamed && renamed < store_synced);
	watch(false);
	CHECK(job_close(j) == 0);
	watch(true);
	deleting = true;
	CHECK(job_delete(store, "order") == 0);
	deleting = false;
	CHECK(renamed < store_synced);
	watch(false);
}

/* -- places -- */

static void in_place(const char *what, int expected)
{
	char place[TMPDIR_MAX + 20], *made;
	(void)snprintf(place, sizeof place, "%s/%s", store, what);
	CHECK(newdir_make(store, &made) == 0);
	CHECK(newdir_publish(made, store, place) == expected);
	if (expected < 0)
		CHECK(rmdir(made) == 0);
	free(made);
}

static void test_places(void)
{
	char path[TMPDIR_MAX + 40], *got;
	struct stat st;
	in_place("free", 0);
	(void)snprintf(path, sizeof path, "%s/free", store);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
	in_place("free", -EEXIST); /* though it is empty */
	CHECK(newdir_remove(store, path) == 0);
	CHECK(newdir_remove(store, path) == -ENOENT);
	(void)snprintf(path, sizeof path, "%s/file", store);
	CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	in_place("file", -EEXIST);
	(void)snprintf(path, sizeof path, "%s/link", store);
	CHECK(symlink("nowhere", path) == 0);
	in_place("link", -EEXIST);
	CHECK(newdir_make("/no/such/place", &got) == -ENOENT && !got);
	CHECK(newdir_path(store, "a", &got) == 0);
	free(got);
	char name[300];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	CHECK(newdir_path(store, name, &got) == -EINVAL && !got);
}

/* Where its name cannot be synced, it is in no place: here as that directory
 * cannot be opened. */
static void test_not_synced(void)
{
	char place[TMPDIR_MAX];
	struct job *j = NULL;
	struct bytes none = {NULL, 0};
	CHECK(tmpdir_make("/tmp", place) == 0);
	CHECK(chmod(place, 0300) == 0);
	CHECK(geteuid() != 0 || chown(place, 12345, 12345) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(geteuid() != 0 || seteuid(12345) == 0);
		CHECK(job_create(&j, place, "job", none, NULL, 0) == -EACCES);
		CHECK(job_open(&j, place, "job") == -ENOENT);
		_exit(0);
	}
	test_wait_ok(pid);
	CHECK(rmdir(place) == 0); /* nor anywhere else */
}

/* -- what a death left: of old ones all, of new ones what nobody can be at --
 */

static void leave(const char *name, int hours)
{
	char path[TMPDIR_MAX + 40];
	struct utimbuf then = {time(NULL) - hours * 3600,
			       time(NULL) - hours * 3600};
	(void)snprintf(path, sizeof path, "%s/%s", store, name);
	CHECK(mkdir(path, 0700) == 0);
	CHECK(utime(path, &then) == 0);
}

static bool is_there(const char *name)
{
	char path[TMPDIR_MAX + 40];
	struct stat st;
	(void)snprintf(path, sizeof path, "%s/%s", store, name);
	return stat(path, &st) == 0;
}

static void test_leftovers(void)
{
	static const char *const stay[] = {
		".pool-new-0123456789abcdef", /* somebody may be at it */
		"mine",
		".mine",
		".old-0123456789abcdef", /* as good as any name */
		".new-0123456789abcdef",
		".pool-old-",
		".pool-old-0123456789abcde",
		".pool-old-0123456789abcdef0",
		".pool-new-0123456789abcdeg"};
	enum { STAY = sizeof stay / sizeof *stay };
	char *made, file[TMPDIR_MAX + 40];
	for (int i = 0; i < STAY; i++)
		leave(stay[i], i == 0 ? 1 : 50);
	leave(".pool-new-fedcba9876543210", 50);
	leave(".pool-old-0123456789abcdef", 0);
	(void)snprintf(file, sizeof file, "%s/.pool-old-0000000000000000",
		       store);
	CHECK(close(open(file, O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(newdir_make(store, &made) == 0);
	for (int i = 0; i < STAY; i++)
		CHECK(is_there(stay[i]));
	CHECK(is_there(".pool-old-0000000000000000")); /* a file is none */
	CHECK(!is_there(".pool-new-fedcba9876543210"));
	CHECK(!is_there(".pool-old-0123456789abcdef"));
	free(made);
}

/* -- somebody is still at work in what is removed -- */

static _Noreturn void write_on(int directory)
{
	char name[32];
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof name, "file%d", i);
		(void)usleep(200); /* what never rests cannot be removed */
		int fd = openat(directory, name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			_exit(errno != ENOENT); /* it is gone */
		(void)close(fd);
	}
	_exit(2);
}

static void test_at_work(void)
{
	char path[TMPDIR_MAX + 16], inside[TMPDIR_MAX + 32];
	(void)snprintf(path, sizeof path, "%s/at-work", store);
	for (int round = 0; round < 20; round++) {
		int status;
		(void)snprintf(inside, sizeof inside, "%s/inside", path);
		CHECK(mkdir(path, 0700) == 0 && mkdir(inside, 0700) == 0);
		int directory = open(inside, O_RDONLY | O_DIRECTORY);
		CHECK(directory >= 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			write_on(directory);
		CHECK(close(directory) == 0);
		(void)usleep(2000);
		CHECK(newdir_remove(store, path) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

int main(void)
{
	test_store();
	test_order();
	test_places();
	test_not_synced();
	test_leftovers();
	test_at_work();
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
