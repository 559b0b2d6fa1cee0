/*
 * Queues in a directory: their order, what comes and goes with it, and many
 * processes that add and take, while some are killed.
 */
#include "queue.h"

#include "test_job.h"

static char path[TMPDIR_MAX + 20];

static struct bytes text(const char *s)
{
	return (struct bytes){s, strlen(s)};
}

static void push(struct queue *q, enum queue_table table, const char *s)
{
	struct bytes b = text(s);
	CHECK(queue_push(q, table, &b, 1) == 0);
}

static uint64_t count(struct queue *q, enum queue_table table)
{
	uint64_t n = 99;
	CHECK(queue_count(q, table, &n) == 0);
	return n;
}

static bool item_is(const struct job_items *all, size_t i, const char *s)
{
	return all->item[i].n == strlen(s) &&
	       memcmp(all->bytes.bytes + all->item[i].at, s, strlen(s)) == 0;
}

static int large_files(void)
{
	char large[sizeof path + 10];
	int n = 0;
	(void)snprintf(large, sizeof large, "%s/large", path);
	DIR *d = opendir(large);
	CHECK(d);
	while (readdir(d))
		n++;
	CHECK(closedir(d) == 0);
	return n - 2;
}

static void test_order(void)
{
	struct queue *q = NULL, *again = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_open(&q, path) == -ENOENT);
	CHECK(queue_create(&q, path) == 0);
	CHECK(queue_create(&again, path) == -EEXIST && !again);
	CHECK(queue_peek(q, QUEUE_INPUT, &out) == 0);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 0);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 0);
	static const char *const all[] = {"same", "b", "same", "", "same"};
	for (size_t i = 0; i < 5; i++)
		push(q, QUEUE_INPUT, all[i]);
	CHECK(queue_open(&again, path) == 0);
	CHECK(count(again, QUEUE_INPUT) == 5);
	CHECK(queue_peek(again, QUEUE_INPUT, &out) == 1);
	CHECK(item_is(&out, 0, "same"));
	CHECK(queue_list(again, QUEUE_INPUT, &out) == 1 && out.n == 5);
	for (size_t i = 0; i < 5; i++)
		CHECK(item_is(&out, i, all[i]));
	for (size_t i = 0; i < 5; i++) {
		CHECK(queue_shift(i % 2 ? q : again, QUEUE_INPUT, QUEUE_META,
				  &out) == 1);
		CHECK(item_is(&out, 0, all[i]));
	}
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 0);
	CHECK(count(q, QUEUE_INPUT) == 0);
	job_items_release(&out);
	queue_close(again);
	queue_close(q);
}

static void test_shelf(void)
{
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_open(&q, path) == 0);
	push(q, QUEUE_INPUT, "one");
	push(q, QUEUE_INPUT, "two");
	push(q, QUEUE_INPUT, "three");
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	uint64_t one = out.item[0].task;
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	uint64_t two = out.item[0].task;
	CHECK(one != two && count(q, QUEUE_SHELF) == 2);
	CHECK(queue_get(q, QUEUE_SHELF, two, &out) == 1);
	CHECK(item_is(&out, 0, "two"));
	CHECK(queue_get(q, QUEUE_SHELF, two + 1000, &out) == 0);
	CHECK(queue_get(q, QUEUE_SHELF, 0, &out) == 0);
	CHECK(queue_get(q, QUEUE_INPUT, two, &out) == 0);
	CHECK(queue_move(q, QUEUE_SHELF, two, QUEUE_OUTPUT, text("2")) == 1);
	CHECK(queue_move(q, QUEUE_SHELF, two, QUEUE_OUTPUT, text("2")) == 0);
	CHECK(queue_move(q, QUEUE_SHELF, 0, QUEUE_OUTPUT, text("2")) == 0);
	CHECK(count(q, QUEUE_OUTPUT) == 1);
	/* What goes back is behind what is there. */
	CHECK(queue_move_all(q, QUEUE_SHELF, QUEUE_INPUT) == 1);
	CHECK(queue_move_all(q, QUEUE_SHELF, QUEUE_INPUT) == 0);
	CHECK(queue_list(q, QUEUE_INPUT, &out) == 1 && out.n == 2);
	CHECK(item_is(&out, 0, "three") && item_is(&out, 1, "one"));
	CHECK(queue_move_all(q, QUEUE_INPUT, QUEUE_INPUT) == 2);
	CHECK(queue_list(q, QUEUE_INPUT, &out) == 1 && out.n == 2);
	CHECK(item_is(&out, 0, "three"));
	while (queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 1)
		;
	CHECK(queue_shift(q, QUEUE_OUTPUT, QUEUE_META, &out) == 1);
	CHECK(item_is(&out, 0, "2"));
	job_items_release(&out);
	queue_close(q);
}

static void test_large(void)
{
	static unsigned char much[3][TEST_LARGE];
	struct bytes all[3];
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_open(&q, path) == 0);
	for (size_t i = 0; i < 3; i++) {
		memset(much[i], (int)i + 1, TEST_LARGE);
		all[i] = (struct bytes){much[i], TEST_LARGE};
	}
	CHECK(queue_push(q, QUEUE_INPUT, all, 3) == 0 && large_files() == 3);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == 1);
	CHECK(out.item[0].n == TEST_LARGE);
	CHECK(memcmp(out.bytes.bytes + out.item[0].at, much[0], TEST_LARGE) ==
	      0);
	CHECK(large_files() == 2);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_SHELF, &out) == 1);
	CHECK(out.bytes.bytes[out.item[0].at] == 2 && large_files() == 2);
	uint64_t key = out.item[0].task;
	CHECK(queue_move(q, QUEUE_SHELF, key, QUEUE_OUTPUT, all[0]) == 1);
	CHECK(large_files() == 2);
	CHECK(queue_move(q, QUEUE_SHELF, key, QUEUE_OUTPUT, all[0]) == 0);
	CHECK(large_files() == 2); /* what was not taken has none */
	CHECK(queue_peek(q, QUEUE_OUTPUT, &out) == 1);
	CHECK(out.bytes.bytes[out.item[0].at] == 1);
	CHECK(queue_move_all(q, QUEUE_OUTPUT, QUEUE_INPUT) == 1);
	CHECK(queue_list(q, QUEUE_INPUT, &out) == 1 && out.n == 2);
	CHECK(out.bytes.bytes[out.item[0].at] == 3);
	/* Damaged: an error, and it stays. */
	char command[sizeof path + 60];
	(void)snprintf(command, sizeof command, "truncate -s 10 %s/large/*",
		       path);
	CHECK(system(command) == 0);
	CHECK(queue_peek(q, QUEUE_INPUT, &out) == -EBADMSG);
	CHECK(queue_shift(q, QUEUE_INPUT, QUEUE_META, &out) == -EBADMSG);
	CHECK(count(q, QUEUE_INPUT) == 2);
	job_items_release(&out);
	queue_close(q);
	CHECK(queue_delete(path) == 0);
}

static void test_refused(void)
{
	struct queue *q = NULL;
	struct job *j = test_create("job", 3);
	char of_job[sizeof path];
	(void)snprintf(of_job, sizeof of_job, "%s/job", store);
	CHECK(queue_open(&q, of_job) == -EPROTO && !q);
	CHECK(queue_delete(of_job) == -EPROTO);
	CHECK(queue_delete(store) == -EPROTO);
	CHECK(queue_delete("/etc/passwd") == -EPROTO);
	CHECK(queue_delete(path) == -ENOENT);
	CHECK(queue_create(&q, "/no/such/place") == -ENOENT && !q);
	CHECK(queue_create(&q, path) == 0);
	struct job *none = NULL;
	CHECK(job_open(&none, store, "queue") == -EPROTO);
	job_forget(none);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		uint64_t n;
		CHECK(!queue_is_usable(q));
		CHECK(queue_count(q, QUEUE_INPUT, &n) == -ECHILD);
		queue_close(q);
		_exit(0);
	}
	test_wait_ok(pid);
	CHECK(queue_is_usable(q));
	CHECK(queue_delete(path) == 0);
	CHECK(!queue_is_usable(q));
	queue_close(q);
	test_work(j, 1);
	CHECK(job_close(j) == 0);
}

/* -- many: each element is taken by one, and none is lost but by who was killed
 * between taking and noting it -- */

enum { MAKERS = 3, TAKERS = 6, EACH = 100 };

static void make(uint64_t who)
{
	struct queue *q = NULL;
	CHECK(queue_open(&q, path) == 0);
	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t element = who * EACH + i;
		struct bytes b = {&element, sizeof element};
		CHECK(queue_push(q, QUEUE_INPUT, &b, 1) == 0);
	}
	queue_close(q);
	_exit(0);
}

static void take(int fd)
{
	struct queue *q = NULL;
	struct job_items out = {.n = 0};
	CHECK(queue_open(&q, path) == 0);
	for (;;) {
		int rc = queue_shift(q, QUEUE_INPUT, QUEUE_META, &out);
		CHECK(rc >= 0);
		if (rc == 0) {
			test_sleep(0.001);
			continue;
		}
		CHECK(out.item[0].n == 8);
		CHECK(write(fd, out.bytes.bytes + out.item[0].at, 8) == 8);
	}
}

static void test_many(void)
{
	pid_t maker[MAKERS], taker[TAKERS];
	struct queue *q = NULL;
	int pipes[2], status;
	unsigned char seen[MAKERS * EACH] = {0};
	uint64_t element, lost = 0, last[MAKERS] = {0};
	CHECK(pipe(pipes) == 0);
	CHECK(queue_create(&q, path) == 0);
	for (uint64_t i = 0; i < MAKERS; i++) {
		maker[i] = fork();
		CHECK(maker[i] >= 0);
		if (maker[i] == 0)
			make(i);
	}
	for (size_t i = 0; i < TAKERS; i++) {
		taker[i] = fork();
		CHECK(taker[i] >= 0);
		if (taker[i] == 0)
			take(pipes[1]);
	}
	/* All but one die on the way. */
	for (size_t i = 1; i < TAKERS; i++) {
		test_sleep(0.02);
		CHECK(kill(taker[i], SIGKILL) == 0);
		CHECK(waitpid(taker[i], &status, 0) == taker[i]);
	}
	for (size_t i = 0; i < MAKERS; i++)
		test_wait_ok(maker[i]);
	while (count(q, QUEUE_INPUT) > 0)
		test_sleep(0.005);
	test_sleep(0.05);
	CHECK(kill(taker[0], SIGKILL) == 0);
	CHECK(waitpid(taker[0], &status, 0) == taker[0]);
	CHECK(close(pipes[1]) == 0);
	while (read(pipes[0], &element, sizeof element) == 8) {
		CHECK(element < MAKERS * EACH);
		CHECK(seen[element]++ == 0);
		last[element / EACH]++;
	}
	for (size_t i = 0; i < MAKERS * EACH; i++)
		lost += !seen[i];
	CHECK(lost < TAKERS);
	CHECK(close(pipes[0]) == 0);
	queue_close(q);
	CHECK(queue_delete(path) == 0);
}

int main(void)
{
	test_store();
	int before = test_descriptors(getpid());
	(void)snprintf(path, sizeof path, "%s/queue", store);
	test_order();
	test_shelf();
	test_large();
	test_refused();
	test_many();
	CHECK(test_descriptors(getpid()) == before);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
