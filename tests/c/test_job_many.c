/*
 * Fifty processes work on a job at once: no task is lost, and none is begun
 * twice. They come and go while it grows.
 */
#include "test_job_log.h"

enum { PROCESSES = 50, TASKS = 4000, MORE = 1000, BATCH = 20 };

static pid_t start(uint64_t who, int fd)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	test_seed += who * UINT64_C(0x9e3779b97f4a7c15);
	struct job *j = test_open("many");
	log_work(j, BATCH, fd, who);
	CHECK(job_close(j) == 0);
	_exit(0);
}

int main(void)
{
	pid_t pid[PROCESSES];
	size_t n;
	test_store();
	int fd = log_open();
	struct job *j = test_create("many", TASKS);
	for (uint64_t i = 0; i < PROCESSES; i++)
		pid[i] = start(i, fd);
	test_add(j, MORE);
	for (size_t i = 0; i < PROCESSES; i++)
		test_wait_ok(pid[i]);
	/* All may have left before there was more. */
	log_work(j, BATCH, fd, PROCESSES);
	test_all_done(j, TASKS + MORE);

	unsigned char begun[TASKS + MORE + 1] = {0},
					   worked[PROCESSES + 1] = {0};
	struct log_line *line = log_read(fd, &n);
	for (size_t i = 0; i < n; i++) {
		if (line[i].what != LOG_BEGUN)
			continue;
		CHECK(line[i].task >= 1 && line[i].task <= TASKS + MORE);
		CHECK(begun[line[i].task]++ == 0);
		worked[line[i].who] = 1;
	}
	for (size_t task = 1; task <= TASKS + MORE; task++)
		CHECK(begun[task] == 1);
	size_t took_part = 0;
	for (size_t i = 0; i < PROCESSES; i++)
		took_part += worked[i];
	CHECK(took_part > PROCESSES / 4); /* else nothing was shown */
	free(line);
	CHECK(close(fd) == 0);
	CHECK(job_close(j) == 0);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
