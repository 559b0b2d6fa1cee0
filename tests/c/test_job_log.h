/*
 * Who began which task, counted apart from the job itself: a file to which each
 * process appends, so that a kill takes no line with it.
 */
#ifndef POOL_TEST_JOB_LOG_H
#define POOL_TEST_JOB_LOG_H

#include <fcntl.h>

#include "test_job.h"

enum { LOG_BEGUN, LOG_COMMITTED };

struct log_line {
	uint64_t what;
	uint64_t task; /* of LOG_BEGUN */
	uint64_t who;  /* a number of the process's own */
};

static inline int log_open(void)
{
	char path[TMPDIR_MAX + 20];
	(void)snprintf(path, sizeof path, "%s/log", store);
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	return fd;
}

static inline void log_add(int fd, uint64_t what, uint64_t task, uint64_t who)
{
	struct log_line line = {what, task, who};
	CHECK(write(fd, &line, sizeof line) == (ssize_t)sizeof line);
}

/* As test_work(), noted: what is begun, what is surely over. */
static inline void log_work(struct job *j, size_t most, int fd, uint64_t who)
{
	CHECK(job_commit(j, NULL, 0, 1 + test_below(most)) == 0);
	while (j->claimed.n > 0) {
		for (size_t i = 0; i < j->claimed.n; i++)
			log_add(fd, LOG_BEGUN, j->claimed.item[i].task, who);
		CHECK(test_commit(j, 1 + test_below(most)) == 0);
		log_add(fd, LOG_COMMITTED, 0, who);
	}
}

/* All lines; to be freed. */
static inline struct log_line *log_read(int fd, size_t *n)
{
	off_t size = lseek(fd, 0, SEEK_END);
	CHECK(size >= 0 && size % (off_t)sizeof(struct log_line) == 0);
	*n = (size_t)size / sizeof(struct log_line);
	struct log_line *all = malloc((size_t)size + 1);
	CHECK(all && pread(fd, all, (size_t)size, 0) == (ssize_t)size);
	return all;
}

#endif
