/*
 * Power cuts. What a claimant writes, syncs and renames is recorded; then, for
 * moments by chance, a disk is made up that has all that was synced until then,
 * and of the rest some sectors and not others. What the claimant had been told
 * is there, and right, what it had not been told is right or not there, and the
 * job can be gone on with. A disk that lies about its syncs shows that this
 * would be seen.
 */
#include "test_hook.h"
#include "test_job.h"

enum {
	TASKS = 120,
	BATCH = 3,
	CUTS = 600,
	LIES = 60,
	SECTOR = 512,
	FILES = 64,
	OPS = 4000,
	NAME = 64,
	DATA = 0, /* the number of data.mdb */
};

enum op_kind { OP_WRITE, OP_SYNC, OP_RENAME, OP_SYNC_NAMES, OP_TOLD };

struct op {
	enum op_kind kind;
	int file;
	bool durable; /* a write that is a sync, too */
	off_t at;
	size_t n;
	unsigned char *bytes;
	uint64_t told; /* tasks up to this one are done */
};

static struct op ops[OPS];
static size_t n_ops;
static char name[FILES][NAME]; /* from the job's directory on, in the end */
static int n_files;
static bool recording;
static char origin[TMPDIR_MAX + 20], copy[TMPDIR_MAX + 20];

/* -- recording -- */

/* The path of a descriptor from the job on; false: it is elsewhere. */
static bool path_of(int fd, char out[NAME])
{
	char link[40], path[TMPDIR_MAX + 200];
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	size_t from = strlen(origin);
	CHECK(n > 0);
	path[n] = '\0';
	if (strncmp(path, origin, from) != 0 || path[from] != '/')
		return false;
	CHECK(strlen(path + from + 1) < NAME);
	(void)strcpy(out, path + from + 1);
	return true;
}

static int file_of(const char *path)
{
	for (int i = 0; i < n_files; i++)
		if (strcmp(name[i], path) == 0)
			return i;
	CHECK(n_files < FILES);
	(void)strcpy(name[n_files], path);
	return n_files++;
}

static struct op *new_op(enum op_kind kind)
{
	CHECK(n_ops < OPS);
	ops[n_ops] = (struct op){.kind = kind};
	return &ops[n_ops++];
}

static void record_write(const struct called *c, const char *path)
{
	struct op *op = new_op(OP_WRITE);
	op->file = file_of(path);
	op->at = c->at;
	op->durable = (fcntl(c->fd, F_GETFL) & O_DSYNC) != 0;
	for (int i = 0; i < c->pieces; i++)
		op->n += c->piece[i].iov_len;
	op->bytes = malloc(op->n + 1);
	CHECK(op->bytes);
	for (size_t i = 0, at = 0; i < (size_t)c->pieces; i++) {
		memcpy(op->bytes + at, c->piece[i].iov_base,
		       c->piece[i].iov_len);
		at += c->piece[i].iov_len;
	}
}

static void on_call(const struct called *c, bool after)
{
	char path[NAME];
	if (!recording)
		return;
	/* A write is on its way before it is made, a sync is over after it. */
	if (c->call == CALL_WRITE && !after && path_of(c->fd, path)) {
		record_write(c, path);
	} else if (c->call == CALL_SYNC && after && path_of(c->fd, path)) {
		if (strcmp(path, "large") == 0)
			(void)new_op(OP_SYNC_NAMES);
		else
			new_op(OP_SYNC)->file = file_of(path);
	} else if (c->call == CALL_RENAME && !after) {
		struct op *op = new_op(OP_RENAME);
		op->file = file_of(c->from);
		CHECK(strlen(c->to) < NAME);
		(void)strcpy(name[op->file], c->to);
	}
	CHECK(c->call != CALL_TRUNCATE && c->call != CALL_REMOVE);
}

static void told(uint64_t task)
{
	new_op(OP_TOLD)->told = task;
}

static void record(void)
{
	struct job *j = test_open("origin");
	CHECK(file_of("data.mdb") == DATA);
	recording = true;
	CHECK(job_commit(j, NULL, 0, BATCH) == 0);
	while (j->claimed.n > 0) {
		uint64_t last = j->claimed.item[j->claimed.n - 1].task;
		CHECK(test_commit(j, BATCH) == 0);
		told(last);
	}
	recording = false;
	test_all_done(j, TASKS);
	CHECK(job_close(j) == 0);
	CHECK(n_files > 2); /* large ones, too */
}

/* -- replaying -- */

struct disk {
	unsigned char *bytes;
	size_t n, room;
};

static void put(struct disk *d, size_t at, const unsigned char *bytes, size_t n)
{
	if (at + n > d->room) {
		d->room = (at + n) * 2;
		d->bytes = realloc(d->bytes, d->room);
		CHECK(d->bytes);
	}
	if (at > d->n)
		memset(d->bytes + d->n, 0, at - d->n);
	memcpy(d->bytes + at, bytes, n);
	d->n = at + n > d->n ? at + n : d->n;
}

static bool by_chance(void)
{
	return test_below(2) == 0;
}

/* Is it on the disk for sure? The one at the cut is still being made. */
static bool is_durable(size_t i, size_t cut, bool honest)
{
	if (ops[i].durable)
		return i + 1 < cut;
	for (size_t k = i + 1; k < cut && honest; k++)
		if (ops[k].kind == OP_SYNC && ops[k].file == ops[i].file)
			return true;
	return false;
}

static void apply(struct disk *d, const struct op *op, bool all)
{
	if (all) {
		put(d, (size_t)op->at, op->bytes, op->n);
		return;
	}
	int keep = (int)test_below(4); /* all, none, or by chance */
	for (size_t at = 0; at < op->n; at += SECTOR) {
		size_t n = op->n - at < SECTOR ? op->n - at : SECTOR;
		if (keep == 0 || (keep > 1 && by_chance()))
			put(d, (size_t)op->at + at, op->bytes + at, n);
	}
}

/* Has the file its name? */
static bool is_named(int file, size_t cut, bool honest)
{
	for (size_t i = 0; i < cut; i++) {
		if (ops[i].kind != OP_RENAME || ops[i].file != file)
			continue;
		for (size_t k = i + 1; k < cut && honest; k++)
			if (ops[k].kind == OP_SYNC_NAMES)
				return true;
		return by_chance();
	}
	return false;
}

static void write_file(const char *path, const struct disk *d)
{
	char full[TMPDIR_MAX + 2 * NAME];
	(void)snprintf(full, sizeof full, "%s/%s", copy, path);
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, d->bytes, d->n) == (ssize_t)d->n);
	CHECK(close(fd) == 0);
}

static struct disk read_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	struct disk d = {.n = (size_t)st.st_size, .room = (size_t)st.st_size};
	d.bytes = malloc(d.n + 1);
	CHECK(d.bytes && read(fd, d.bytes, d.n) == (ssize_t)d.n);
	CHECK(close(fd) == 0);
	return d;
}

/* Files of large tasks were there before. */
static void link_all(const char *from, const char *to)
{
	DIR *d = opendir(from);
	CHECK(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		char a[2 * TMPDIR_MAX + NAME], b[2 * TMPDIR_MAX + NAME];
		(void)snprintf(a, sizeof a, "%s/%.40s", from, e->d_name);
		(void)snprintf(b, sizeof b, "%s/%.40s", to, e->d_name);
		if (e->d_name[0] != '.')
			CHECK(link(a, b) == 0);
	}
	CHECK(closedir(d) == 0);
}

static struct disk before; /* data.mdb */
static char kept[TMPDIR_MAX + 20];

static uint64_t make_copy(size_t cut, bool honest)
{
	char large[TMPDIR_MAX + 40];
	struct disk disk[FILES] = {{NULL, 0, 0}};
	uint64_t last = 0;
	(void)snprintf(large, sizeof large, "%s/large", copy);
	CHECK(mkdir(copy, 0700) == 0 && mkdir(large, 0700) == 0);
	link_all(kept, large);
	put(&disk[DATA], 0, before.bytes, before.n);
	for (size_t i = 0; i < cut; i++) {
		if (ops[i].kind == OP_WRITE)
			apply(&disk[ops[i].file], &ops[i],
			      is_durable(i, cut, honest));
		else if (ops[i].kind == OP_TOLD)
			last = ops[i].told;
	}
	write_file("data.mdb", &disk[DATA]);
	for (int i = 1; i < n_files; i++)
		if (is_named(i, cut, honest))
			write_file(name[i], &disk[i]);
	for (int i = 0; i < n_files; i++)
		free(disk[i].bytes);
	return last;
}

static void look(uint64_t last)
{
	struct job_items all = {.n = 0};
	struct job *j = test_open("copy");
	CHECK(job_results(j, 1, UINT64_MAX, &all) == 0);
	CHECK(all.n >= last);
	for (size_t i = 0; i < all.n; i++) {
		CHECK(all.item[i].task == i + 1);
		CHECK(test_is(j, &all, i, true));
	}
	CHECK(job_requeue(j) <= BATCH);
	test_work(j, TASKS);
	test_all_done(j, TASKS);
	job_items_release(&all);
	CHECK(job_close(j) == 0);
}

/* In a process of its own, which may fail. */
static bool is_right(uint64_t last)
{
	int status;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(freopen("/dev/null", "w", stderr));
		look(last);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool cut_at(size_t cut, bool honest)
{
	bool right = true;
	uint64_t last = make_copy(cut, honest);
	if (honest)
		look(last);
	else
		right = is_right(last);
	CHECK(tmpdir_remove(copy) == 0);
	return right;
}

int main(void)
{
	size_t lost = 0;
	test_store();
	(void)snprintf(origin, sizeof origin, "%s/origin", store);
	(void)snprintf(copy, sizeof copy, "%s/copy", store);
	(void)snprintf(kept, sizeof kept, "%s/kept", store);
	CHECK(job_close(test_create("origin", TASKS)) == 0);
	char path[TMPDIR_MAX + 40];
	(void)snprintf(path, sizeof path, "%s/data.mdb", origin);
	before = read_file(path);
	(void)snprintf(path, sizeof path, "%s/large", origin);
	CHECK(mkdir(kept, 0700) == 0);
	link_all(path, kept);
	record();
	CHECK(n_ops > 200);
	(void)cut_at(n_ops, true);
	(void)cut_at(0, true);
	for (int i = 0; i < CUTS; i++)
		(void)cut_at(1 + test_below(n_ops), true);
	for (int i = 0; i < LIES; i++)
		lost += !cut_at(1 + test_below(n_ops), false);
	CHECK(lost > LIES / 4);
	for (size_t i = 0; i < n_ops; i++)
		free(ops[i].bytes);
	free(before.bytes);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
