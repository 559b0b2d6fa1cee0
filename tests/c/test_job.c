/* A job in a directory: its life. */
#include "test_job.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static struct job_head status(struct job *j)
{
	struct job_head h;
	CHECK(job_status(j, &h) == 0);
	return h;
}

static void counts(struct job *j, uint64_t queued, uint64_t running,
		   uint64_t over)
{
	struct job_head h = status(j);
	CHECK(h.count[TASK_QUEUED] == queued);
	CHECK(h.count[TASK_RUNNING] == running);
	CHECK(h.count[TASK_COMPLETED] + h.count[TASK_FAILED] +
		      h.count[TASK_LOST] ==
	      over);
}

static void test_life(void)
{
	struct job_items out = {.n = 0};
	struct job *j = test_create("life", 100);
	counts(j, 100, 0, 0);
	CHECK(job_commit(j, NULL, 0, 7) == 0);
	CHECK(j->claimed.n == 7 && j->claimed.item[6].task == 7);
	counts(j, 93, 7, 0);
	CHECK(test_commit(j, 3) == 0);
	CHECK(j->claimed.n == 3 && j->claimed.item[0].task == 8);
	counts(j, 90, 3, 7);
	test_add(j, 50);
	counts(j, 140, 3, 7);
	test_work(j, 11);
	/* Those that the last claim had are still claimed. */
	counts(j, 0, 3, 147);
	CHECK(job_manifest(j, &out) == 0);
	CHECK(out.n == 1 && out.item[0].n == TEST_MANIFEST);
	CHECK(job_close(j) == 0);
	j = test_open("life");
	counts(j, 3, 0, 147);
	test_work(j, 1);
	test_all_done(j, 150);
	CHECK(job_results(j, 149, UINT64_MAX, &out) == 0 && out.n == 2);
	CHECK(job_results(j, 151, 10, &out) == 0 && out.n == 0);
	CHECK(job_results(j, UINT64_MAX, UINT64_MAX, &out) == 0 && out.n == 0);
	CHECK(job_commit(j, NULL, 0, 5) == 0 && j->claimed.n == 0);
	job_items_release(&out);
	CHECK(job_close(j) == 0);
}

static void test_ids(void)
{
	struct job *j = NULL;
	struct bytes none = {NULL, 0};
	static const char *const bad[] = {"", ".", "..", ".a", "a/b", "/"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(job_create(&j, store, bad[i], none, NULL, 0) == -EINVAL);
		CHECK(job_open(&j, store, bad[i]) == -EINVAL);
		job_forget(j);
		CHECK(job_delete(store, bad[i]) == -EINVAL);
	}
	j = test_create("taken", 3);
	struct job *k = NULL;
	CHECK(job_create(&k, store, "taken", none, NULL, 0) == -EEXIST);
	CHECK(job_create(&k, "/no/such/place", "a", none, NULL, 0) == -ENOENT);
	CHECK(job_open(&k, store, "none") == -ENOENT);
	job_forget(k);
	test_work(j, 1);
	test_all_done(j, 3);
	CHECK(job_close(j) == 0);
	CHECK(job_delete(store, "taken") == 0);
	CHECK(job_delete(store, "taken") == -ENOENT);
}

/* Two of one process are two claimants of one environment. */
static void test_two(void)
{
	struct job *a = test_create("two", 10), *b = test_open("two");
	CHECK(a->env == b->env);
	CHECK(job_commit(a, NULL, 0, 4) == 0 && a->claimed.n == 4);
	CHECK(job_commit(b, NULL, 0, 9) == 0 && b->claimed.n == 6);
	CHECK(a->me != b->me && a->slot != b->slot);
	uint64_t not_mine = 1;
	CHECK(job_release(b, &not_mine, 1) == 0);
	CHECK(job_charge(b, 1, 1, (struct bytes){0}) == 0);
	counts(b, 0, 10, 0);
	job_forget(a); /* not released: it is dead now */
	struct job_items out = {.n = 0};
	CHECK(job_abandoned(b, &out) == 0 && out.n == 4);
	CHECK(test_commit(b, 2) == 0 && b->claimed.n == 2);
	CHECK(b->claimed.item[0].task == 1 && b->claimed.item[0].tries == 0);
	CHECK(job_abandoned(b, &out) == 0 && out.n == 0);
	CHECK(job_requeue(b) == 0);
	test_work(b, 3);
	CHECK(job_close(b) == 0);
	b = test_open("two");
	test_work(b, 3);
	test_all_done(b, 10);
	CHECK(job_close(b) == 0);
	job_items_release(&out);
}

/* A death in a task is charged; the last one is its result. */
static void test_charge(void)
{
	struct job *j = test_create("charge", 3);
	struct bytes lost = {"lost", 4};
	for (int tries = 1; tries <= 3; tries++) {
		CHECK(job_commit(j, NULL, 0, 1) == 0);
		CHECK(j->claimed.n == 1 && j->claimed.item[0].task == 1);
		CHECK(j->claimed.item[0].tries == tries - 1);
		CHECK(job_charge(j, 1, 3, lost) == (tries == 3));
	}
	CHECK(job_charge(j, 1, 3, lost) == 0);
	CHECK(job_charge(j, 4, 3, lost) == -ERANGE);
	CHECK(job_charge(j, 0, 3, lost) == -ERANGE);
	struct job_items out = {.n = 0};
	CHECK(job_results(j, 1, 3, &out) == 0 && out.n == 1);
	CHECK(out.item[0].status == TASK_LOST && out.item[0].n == 4);
	job_items_release(&out);
	CHECK(status(j).count[TASK_LOST] == 1);
	CHECK(job_close(j) == 0);
}

/* The first result counts, whoever brings it. */
static void test_first_counts(void)
{
	struct job *a = test_create("first", 6), *b = test_open("first");
	CHECK(job_commit(a, NULL, 0, 3) == 0);
	uint64_t tasks[] = {1, 2, 3};
	/* As if another process had taken it for dead. */
	alive_leave(lmdb_env_alive(a->env), a->slot);
	CHECK(job_requeue(b) == 3);
	CHECK(job_commit(b, NULL, 0, 1) == 0 && b->claimed.item[0].task == 1);
	counts(b, 5, 1, 0);
	/* Task 1 is now b's, 2 and 3 are nobody's; a knows nothing of that. */
	CHECK(test_commit(a, 1) == 0);
	CHECK(a->claimed.n == 1 && a->claimed.item[0].task == 4);
	counts(b, 2, 1, 3);
	struct job_done second = {
		.task = 1, .status = TASK_FAILED, .value = {"second", 6}};
	CHECK(job_commit(b, &second, 1, 0) == 0);
	CHECK(job_release(b, tasks, 3) == 0);
	counts(b, 2, 1, 3);
	CHECK(test_commit(a, 9) == 0);
	CHECK(test_commit(a, 9) == 0 && a->claimed.n == 0);
	test_all_done(a, 6);
	CHECK(job_close(a) == 0 && job_close(b) == 0);
}

static void test_bad_commit(void)
{
	struct job *j = test_create("bad", 5);
	struct job_done done[] = {
		{.task = 1, .status = TASK_COMPLETED, .value = {"x", 1}},
		{.task = 6, .status = TASK_COMPLETED, .value = {"x", 1}}};
	CHECK(job_commit(j, done, 2, 1) == -ERANGE);
	counts(j, 5, 0, 0); /* all of it or nothing */
	done[1].task = 0;
	CHECK(job_commit(j, done, 2, 1) == -ERANGE);
	CHECK(j->claimed.n == 0);
	test_work(j, 2);
	test_all_done(j, 5);
	CHECK(job_close(j) == 0);
}

/* Though it has a result. */
static int claim_again(MDB_txn *txn, void *arg)
{
	const struct job *j = arg;
	struct job_txn t;
	CHECK(job_txn_begin(&t, txn, j->env, &(struct job_damage){0}) == 0);
	t.head.count[TASK_COMPLETED]--;
	t.head.count[TASK_RUNNING]++;
	t.changed = true;
	CHECK(job_number_put(&t, JOB_CLAIM, 1, j->me) == 0);
	return job_txn_end(&t);
}

static void test_twice(void)
{
	struct job *j = test_create("twice", 3);
	struct job_done done = {.task = 1, .status = TASK_COMPLETED};
	test_work(j, 3);
	CHECK(lmdb_env_write(j->env, claim_again, j) == 0);
	CHECK(job_commit(j, &done, 1, 0) == -EBADMSG);
	CHECK(j->damage.table == JOB_RESULT && j->damage.number == 1);
	job_forget(j);
}

/* Who fails to join does not keep alive who has died in its slot. */
static void test_no_claimant(void)
{
	struct job *dead = test_create("slot", 10), *j = test_open("slot");
	struct job_done none = {.task = 11, .status = TASK_COMPLETED};
	struct job_items out = {.n = 0};
	CHECK(job_commit(dead, NULL, 0, 4) == 0);
	job_forget(dead);
	CHECK(job_commit(j, &none, 1, 1) == -ERANGE);
	CHECK(job_abandoned(j, &out) == 0 && out.n == 4);
	job_items_release(&out);
	CHECK(job_requeue(j) == 4);
	test_work(j, 3);
	test_all_done(j, 10);
	CHECK(job_close(j) == 0);
}

static void test_terminate(void)
{
	struct job *j = test_create("stop", 9);
	CHECK(job_commit(j, NULL, 0, 2) == 0);
	CHECK(job_terminate(j) == 0 && job_terminate(j) == 0);
	CHECK(status(j).terminated == 1);
	CHECK(test_commit(j, 5) == 0 && j->claimed.n == 0);
	counts(j, 7, 0, 2);
	CHECK(job_close(j) == 0);
	j = test_open("stop");
	CHECK(job_commit(j, NULL, 0, 5) == 0 && j->claimed.n == 0);
	CHECK(job_close(j) == 0);
}

static void test_empty(void)
{
	struct job *j = test_create("empty", 0);
	uint64_t first;
	counts(j, 0, 0, 0);
	CHECK(job_commit(j, NULL, 0, 3) == 0 && j->claimed.n == 0);
	CHECK(job_add(j, NULL, 0, &first) == 0 && first == 1);
	test_add(j, 2);
	test_work(j, 3);
	test_all_done(j, 2);
	CHECK(job_close(j) == 0);
}

static int large_files(const char *id)
{
	char large[TMPDIR_MAX + 40];
	int n = 0;
	(void)snprintf(large, sizeof large, "%s/%s/large", store, id);
	DIR *d = opendir(large);
	CHECK(d);
	while (readdir(d))
		n++;
	CHECK(closedir(d) == 0);
	return n - 2;
}

/* A fork has its parent's jobs, and cannot use them; it opens its own. */
static void test_fork(void)
{
	struct job *j = test_create("fork", 8);
	CHECK(job_commit(j, NULL, 0, 3) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct job_head h;
		CHECK(job_status(j, &h) == -ECHILD);
		CHECK(job_commit(j, NULL, 0, 1) == -ECHILD);
		static const unsigned char much[TEST_LARGE];
		struct bytes value = {much, sizeof much};
		uint64_t first;
		CHECK(job_add(j, &value, 1, &first) == -ECHILD);
		CHECK(job_charge(j, 1, 1, value) == -ECHILD);
		CHECK(large_files("fork") == 0);
		struct job *own = test_open("fork");
		counts(own, 5, 3, 0);
		test_work(own, 2);
		CHECK(job_close(own) == 0);
		CHECK(job_close(j) == -ECHILD);
		_exit(0);
	}
	test_wait_ok(pid);
	counts(j, 0, 3, 5);
	CHECK(job_requeue(j) == 0); /* we live */
	CHECK(test_commit(j, 1) == 0);
	test_all_done(j, 8);
	CHECK(job_close(j) == 0);
}

/* Whoever has a deleted job open finds that it is gone. */
static void test_delete(void)
{
	struct job_head h;
	struct job *j = test_create("gone", 4);
	CHECK(job_delete(store, "gone") == 0);
	CHECK(job_status(j, &h) == -ENOENT);
	CHECK(job_commit(j, NULL, 0, 1) == -ENOENT);
	struct job *again = test_create("gone", 2);
	CHECK(again->env != j->env);
	CHECK(job_status(j, &h) == -ENOENT);
	(void)job_close(j);
	test_work(again, 2);
	test_all_done(again, 2);
	CHECK(job_close(again) == 0);
}

/* The queue is only a hint: where it is damaged, the results say what is left.
 */
static int spoil(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	struct number_key key = number_key(20);
	MDB_val k = {sizeof key, &key}, v = {3, "bad"};
	return lmdb_errno(
		mdb_put(txn, lmdb_env_table(j->env, JOB_QUEUE), &k, &v, 0));
}

static void test_mend(void)
{
	char why[100];
	struct job *j = test_create("mend", 20), *k = test_open("mend");
	CHECK(job_commit(j, NULL, 0, 9) == 0);
	CHECK(job_commit(k, NULL, 0, 2) == 0);
	CHECK(test_commit(k, 2) == 0);
	CHECK(job_charge(j, 1, 3, (struct bytes){0}) == 0);
	CHECK(lmdb_env_write(j->env, spoil, j) == 0);
	CHECK(job_commit(j, NULL, 0, 20) == -EBADMSG);
	job_damage_text(j, why, sizeof why);
	CHECK(strcmp(why, "the queue at task 20") == 0);
	CHECK(job_requeue(j) == 18);
	counts(j, 18, 0, 2);
	CHECK(test_commit(k, 3) == 0); /* it had 12 and 13, and still counts */
	counts(j, 13, 3, 4);
	test_work(j, 3);
	CHECK(test_commit(k, 3) == 0);
	test_all_done(j, 20);
	CHECK(job_close(j) == 0 && job_close(k) == 0);
}

/* A format that is not known yet. */
static int make_newer(MDB_txn *txn, void *arg)
{
	struct job *j = arg;
	unsigned char value[] = {0, JOB_FORMAT + 1, 0, 0, 0};
	struct sealed s = {txn, lmdb_env_table(j->env, JOB_META), JOB_META};
	return sealed_put(&s, (struct bytes){"format", 6},
			  (struct bytes){value, sizeof value},
			  (struct bytes){NULL, 0}, 0);
}

static void test_newer(void)
{
	struct job *j = test_create("newer", 2), *k = NULL;
	CHECK(lmdb_env_write(j->env, make_newer, j) == 0);
	CHECK(job_close(j) == 0);
	CHECK(job_open(&k, store, "newer") == -EPROTONOSUPPORT);
	job_forget(k);
}

static void test_modes(void)
{
	static const struct {
		const char *name;
		mode_t mode;
	} all[] = {{"", S_IFDIR | 0700},
		   {"/data.mdb", S_IFREG | 0600},
		   {"/lock.mdb", S_IFREG | 0600},
		   {"/alive", S_IFREG | 0600},
		   {"/large", S_IFDIR | 0700}};
	mode_t mask = umask(0);
	CHECK(job_close(test_create("modes", 80)) == 0);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char path[TMPDIR_MAX + 40];
		struct stat st;
		(void)snprintf(path, sizeof path, "%s/modes%s", store,
			       all[i].name);
		CHECK(lstat(path, &st) == 0 && st.st_mode == all[i].mode);
	}
	(void)umask(mask);
}

int main(void)
{
	test_store();
	int open_before = test_descriptors(getpid());
	test_life();
	test_ids();
	test_two();
	test_charge();
	test_first_counts();
	test_bad_commit();
	test_twice();
	test_no_claimant();
	test_terminate();
	test_empty();
	test_fork();
	test_delete();
	test_mend();
	test_newer();
	test_modes();
	CHECK(test_descriptors(getpid()) == open_before);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
