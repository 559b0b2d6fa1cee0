/*
 * A job whose file is damaged, in more than a thousand ways: bits, bytes,
 * sectors, pages in the wrong place, an end too soon. It may be refused at any
 * step, as damaged; but what it says is right, whoever claims the rest of it
 * gets right tasks, and it never crashes or hangs.
 */
#include "test_job.h"

#include <fcntl.h>

enum { DAMAGES = 1500, TASKS = 260, DONE = 150, PAGE = 4096, SECONDS = 20 };

static unsigned char *whole, *damaged;
static size_t n_whole;
static char file[TMPDIR_MAX + 40];
static size_t refused, survived;

static void put_file(const unsigned char *bytes, size_t n)
{
	int fd = open(file, O_WRONLY | O_TRUNC);
	CHECK(fd >= 0);
	CHECK(write(fd, bytes, n) == (ssize_t)n);
	CHECK(close(fd) == 0);
}

static void get_file(void)
{
	int fd = open(file, O_RDONLY);
	CHECK(fd >= 0);
	off_t size = lseek(fd, 0, SEEK_END);
	CHECK(size > 0);
	n_whole = (size_t)size;
	whole = malloc(n_whole);
	damaged = malloc(n_whole);
	CHECK(whole && damaged);
	CHECK(pread(fd, whole, n_whole, 0) == size);
	CHECK(close(fd) == 0);
}

/* A place, more often in what LMDB goes by: heads and ends of pages. */
static size_t place(void)
{
	size_t page = test_below(n_whole / PAGE) * PAGE;
	switch (test_below(4)) {
	case 0:
		return page + test_below(64);
	case 1:
		return page + PAGE - 1 - test_below(200);
	case 2:
		return test_below(2) * PAGE + test_below(160);
	default:
		return test_below(n_whole);
	}
}

/* Damages the copy; how many bytes it then has. */
static size_t damage(void)
{
	size_t at = place(), n = n_whole - at, other;
	memcpy(damaged, whole, n_whole);
	switch (test_below(8)) {
	case 0:
	case 1:
	case 2:
		damaged[at] ^= (unsigned char)(1 << test_below(8));
		break;
	case 3:
		damaged[at] = (unsigned char)test_random();
		break;
	case 4:
		n = n < 64 ? n : test_below(64);
		for (size_t i = 0; i < n; i++)
			damaged[at + i] = (unsigned char)test_random();
		break;
	case 5:
		at -= at % 512;
		memset(damaged + at, 0, 512);
		break;
	case 6:
		other = test_below(n_whole / PAGE) * PAGE;
		memcpy(damaged + at - at % PAGE, whole + other, PAGE);
		break;
	default:
		return at;
	}
	return n_whole;
}

static bool is_fine(int rc)
{
	CHECK(rc >= 0 || rc == -EBADMSG || rc == -EPROTO ||
	      rc == -EPROTONOSUPPORT);
	return rc >= 0;
}

static bool looks_right(struct job *j)
{
	struct job_head h;
	struct job_items all = {.n = 0};
	bool fine = is_fine(job_status(j, &h));
	if (fine)
		CHECK(h.tasks == TASKS &&
		      h.count[TASK_QUEUED] + h.count[TASK_RUNNING] ==
			      TASKS - DONE);
	fine = fine && is_fine(job_manifest(j, &all));
	if (fine)
		CHECK(all.item[0].n == TEST_MANIFEST);
	fine = fine && is_fine(job_results(j, 1, UINT64_MAX, &all));
	if (fine)
		CHECK(all.n == DONE);
	for (size_t i = 0; fine && i < all.n; i++)
		CHECK(test_is(j, &all, i, true));
	job_items_release(&all);
	return fine;
}

static bool works(struct job *j)
{
	if (!is_fine(job_commit(j, NULL, 0, TASKS)))
		return false;
	while (j->claimed.n > 0)
		if (!is_fine(test_commit(j, TASKS)))
			return false;
	test_all_done(j, TASKS);
	return true;
}

int main(void)
{
	test_store();
	(void)snprintf(file, sizeof file, "%s/damage/data.mdb", store);
	struct job *j = test_create("damage", TASKS);
	CHECK(job_commit(j, NULL, 0, DONE) == 0);
	CHECK(job_charge(j, 5, 3, (struct bytes){0}) == 0);
	CHECK(test_commit(j, 40) == 0);
	job_forget(j);
	get_file();
	for (int i = 0; i < DAMAGES; i++) {
		put_file(damaged, damage());
		(void)alarm(SECONDS);
		j = NULL;
		bool fine = is_fine(job_open(&j, store, "damage"));
		fine = fine && looks_right(j) && works(j);
		if (!fine)
			job_forget(j);
		else
			CHECK(job_close(j) == 0);
		refused += !fine;
		survived += fine;
	}
	/* Both must come about, else nothing is shown. */
	CHECK(refused > DAMAGES / 10 && survived > DAMAGES / 10);
	put_file(whole, n_whole);
	j = test_open("damage");
	CHECK(looks_right(j) && works(j));
	CHECK(job_close(j) == 0);
	free(whole);
	free(damaged);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
