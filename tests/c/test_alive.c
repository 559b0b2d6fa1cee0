/* Who is alive: locks of bytes, and what takes them away. */
#include "alive.h"

#include <fcntl.h>
#include <limits.h>

#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static int directory;

static void start(struct alive *a)
{
	CHECK(alive_open(a, directory, "alive") == 0);
}

/* A child that takes a slot, says which, and waits for its end. */
static pid_t child(int *slot)
{
	int to_parent[2];
	CHECK(pipe(to_parent) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct alive a;
		start(&a);
		int mine = alive_take(&a);
		CHECK(write(to_parent[1], &mine, sizeof mine) ==
		      (ssize_t)sizeof mine);
		for (;;)
			(void)pause();
	}
	CHECK(read(to_parent[0], slot, sizeof *slot) == (ssize_t)sizeof *slot);
	CHECK(close(to_parent[0]) == 0 && close(to_parent[1]) == 0);
	return pid;
}

static void end(pid_t pid)
{
	int status;
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
}

static void test_slots(void)
{
	struct alive a;
	int slot;
	start(&a);
	CHECK(alive_take(&a) == 0 && alive_take(&a) == 1);
	pid_t pid = child(&slot);
	CHECK(slot == 2);
	CHECK(alive_take(&a) == 3);
	CHECK(alive_is(&a, 0) == 1 && alive_is(&a, 2) == 1);
	CHECK(alive_is(&a, 4) == 0);
	CHECK(alive_is(&a, -1) == 0 && alive_is(&a, ALIVE_SLOTS) == 0 &&
	      alive_is(&a, INT_MAX) == 0);
	alive_leave(&a, 1);
	CHECK(alive_is(&a, 1) == 0);
	end(pid);
	CHECK(alive_is(&a, 2) == 0);
	CHECK(alive_take(&a) == 1 && alive_take(&a) == 2);
	for (int i = 4; i < ALIVE_SLOTS; i++)
		CHECK(alive_take(&a) == i);
	CHECK(alive_take(&a) == -EUSERS);
	alive_close(&a);
}

/* A fork holds nothing, and what becomes of it changes nothing. */
static void test_fork(void)
{
	struct alive a;
	start(&a);
	CHECK(alive_take(&a) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct alive own;
		start(&own);
		CHECK(alive_is(&own, 0) == 1);
		CHECK(close(a.fd) == 0);
		CHECK(alive_take(&own) == 1);
		_exit(0);
	}
	test_wait_ok(pid);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct alive own;
		start(&own);
		CHECK(alive_is(&own, 0) == 1);
		_exit(0);
	}
	test_wait_ok(pid);
	alive_close(&a);
}

/* Somebody in this process opens and closes the file: the locks are gone. */
static void test_lost(void)
{
	struct alive a;
	int slot;
	start(&a);
	CHECK(alive_take(&a) == 0 && alive_take(&a) == 1);
	int fd = openat(directory, "alive", O_RDONLY);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(alive_renew(&a, 0) == 0);
	pid_t pid = child(&slot);
	CHECK(slot == 1); /* to it ours was dead */
	CHECK(alive_renew(&a, 1) == -EOWNERDEAD);
	CHECK(alive_is(&a, 1) == 1);
	CHECK(alive_take(&a) == 2);
	end(pid);
	CHECK(alive_is(&a, 1) == 0 && alive_is(&a, 0) == 1);
	alive_close(&a);
}

static void test_door(void)
{
	struct alive a;
	int ready[2];
	char byte;
	start(&a);
	CHECK(pipe(ready) == 0);
	CHECK(alive_enter(&a, ALIVE_DOOR, false) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct alive own;
		start(&own);
		CHECK(write(ready[1], "1", 1) == 1);
		CHECK(alive_enter(&own, ALIVE_DOOR, false) == 0);
		CHECK(write(ready[1], "2", 1) == 1);
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1 && byte == '1');
	CHECK(fcntl(ready[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK(alive_try(&a, ALIVE_WRITE) == 0); /* another one */
	alive_pass(&a, ALIVE_WRITE);
	test_sleep(0.05);
	CHECK(read(ready[0], &byte, 1) < 0 && errno == EAGAIN);
	alive_pass(&a, ALIVE_DOOR);
	test_wait_ok(pid);
	CHECK(read(ready[0], &byte, 1) == 1 && byte == '2');
	CHECK(close(ready[0]) == 0 && close(ready[1]) == 0);
	alive_close(&a);
}

int main(void)
{
	struct alive a;
	CHECK(tmpdir_make("/tmp", base) == 0);
	directory = open(base, O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	test_slots();
	test_fork();
	test_lost();
	test_door();
	CHECK(unlinkat(directory, "alive", 0) == 0);
	CHECK(symlinkat("/etc/passwd", directory, "alive") == 0);
	CHECK(alive_open(&a, directory, "alive") == -ELOOP);
	CHECK(close(directory) == 0);
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
