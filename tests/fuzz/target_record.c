/*
 * What a job has on a disk, gone wrong: records, and files of LMDB's with some
 * bytes changed, pages that took another's place, an end too soon.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crc32c.h"
#include "frames.h"
#include "lmdb_check.h"
#include "tmpdir.h"
#include "value.h"
#include "world.h"

enum { PAGE = 4096, RECORDS = 90, MOST = 64 * PAGE, IS_FILE = 0, IS_RECORD };

/* -- a file of LMDB's as it should be, made once -- */

static unsigned char image[MOST];
static size_t n_image;

static int put_all(MDB_env *env, const char *name, unsigned from, unsigned to,
		   size_t n)
{
	static unsigned char value[3 * PAGE];
	MDB_txn *txn;
	MDB_dbi dbi;
	int rc = mdb_txn_begin(env, NULL, 0, &txn);
	if (rc == 0)
		rc = mdb_dbi_open(txn, name, MDB_CREATE, &dbi);
	for (unsigned i = from; i < to && rc == 0; i++) {
		MDB_val key = {sizeof i, &i};
		MDB_val v = {i % 30 == 7 ? sizeof value : i % 7 * n, value};
		rc = i % 5 == 4 ? mdb_del(txn, dbi, &key, NULL)
				: mdb_put(txn, dbi, &key, &v, 0);
		rc = rc == MDB_NOTFOUND ? 0 : rc;
	}
	return rc == 0 ? mdb_txn_commit(txn) : rc;
}

static void make_image(void)
{
	char base[TMPDIR_MAX], path[TMPDIR_MAX + 20];
	MDB_env *env = NULL;
	REQUIRE(tmpdir_make("/tmp", base) == 0);
	REQUIRE(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 4) == 0);
	REQUIRE(mdb_env_open(env, base, MDB_NOSYNC | MDB_NOTLS, 0600) == 0);
	REQUIRE(put_all(env, "one", 0, RECORDS, 70) == 0);
	REQUIRE(put_all(env, "two", 0, 9, 3) == 0);
	REQUIRE(put_all(env, "one", 3, 12, 50) == 0);
	mdb_env_close(env);
	size_t n = strlen(base);
	memcpy(path, base, n);
	memcpy(path + n, "/data.mdb", sizeof "/data.mdb");
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, image, MOST);
	REQUIRE(got > 8 * PAGE && got < MOST);
	n_image = (size_t)got;
	(void)close(fd);
	(void)tmpdir_remove(base);
}

/* -- inputs -- */

static void change(struct input *in, struct rng *r, size_t begin)
{
	size_t n = in->n - begin;
	unsigned char *p = in->bytes + begin;
	size_t page = rng_below(r, n / PAGE) * PAGE;
	size_t at = rng_one_in(r, 3)   ? rng_below(r, n)
		    : rng_one_in(r, 2) ? page + rng_below(r, 48)
				       : page + PAGE - 1 - rng_below(r, 300);
	uint64_t number = frames_number(r);
	switch (rng_below(r, 8)) {
	case 0:
		p[at] = (unsigned char)rng_next(r);
		break;
	case 1:
		at -= at % 8;
		memcpy(p + at, &number, 8);
		break;
	case 2:
		at -= at % 2;
		memcpy(p + at, &number, 2);
		break;
	case 3:
		memcpy(p + page, p + rng_below(r, n / PAGE) * PAGE, PAGE);
		break;
	default:
		p[at] ^= (unsigned char)(1 << rng_below(r, 8));
	}
}

static void make(struct input *in, struct rng *r)
{
	if (n_image == 0)
		make_image();
	frames_begin(in, r);
	in->bytes[in->n++] = rng_one_in(r, 2) ? IS_RECORD : IS_FILE;
	size_t begin = in->n;
	if (in->bytes[begin - 1] == IS_RECORD) {
		for (size_t i = rng_below(r, 80); i > 0; i--)
			in->bytes[in->n++] = (unsigned char)rng_below(
				r, rng_one_in(r, 2) ? 3 : 256);
		return;
	}
	memcpy(in->bytes + begin, image, n_image);
	in->n += n_image;
	for (size_t i = rng_below(r, 4); i > 0; i--)
		change(in, r, begin);
	if (rng_one_in(r, 20))
		in->n -= rng_below(r, n_image);
}

/* -- runs -- */

static void run_record(const unsigned char *p, size_t n)
{
	struct bytes key = {p, n < 8 ? n : 8}, content;
	struct bytes record = {p + key.n, n - key.n};
	struct value v;
	uint64_t number;
	int rc = number_of_key(key, &number);
	REQUIRE(rc == (key.n == 8 ? 0 : -EBADMSG));
	rc = sealed_check(1, key, record, &content);
	REQUIRE(rc == 0 || rc == -EBADMSG);
	REQUIRE(rc < 0 || content.n + SEAL == record.n);
	rc = value_read(record, &v);
	REQUIRE(rc == 0 || rc == -EBADMSG);
	if (rc == 0 && !v.large)
		REQUIRE(v.bytes.n == record.n - 1);
}

static void run_file(const unsigned char *p, size_t n)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("lmdb", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && ftruncate(fd, 0) == 0);
	REQUIRE(pwrite(fd, p, n, 0) == (ssize_t)n);
	int rc = lmdb_check_head(fd);
	REQUIRE(rc == 0 || rc == -EBADMSG);
	bool fine = rc == 0;
	for (size_t txn = 2; txn < 4; txn++) {
		struct lmdb_state s = {PAGE, txn, rng_one_in(&world.rng, 2)};
		rc = lmdb_check_state(fd, &s);
		REQUIRE(rc == 0 || rc == -EBADMSG || rc == -EAGAIN ||
			(rc == -ENOMEM && world.failed));
		fine = fine && rc == 0;
	}
	/* What was not changed is whole. */
	if (n == n_image && memcmp(p, image, n) == 0)
		REQUIRE(fine || world.failed);
}

static void run(const unsigned char *bytes, size_t n)
{
	uint64_t seed = frames_seed(bytes, n);
	size_t head = sizeof seed + 1;
	world_begin(seed);
	/* No more than there is, so that a byte too far is seen. */
	unsigned char *copy = n < head ? NULL : malloc(n - head + 1);
	if (copy) {
		memcpy(copy, bytes + head, n - head);
		if (bytes[head - 1] == IS_RECORD)
			run_record(copy, n - head);
		else
			run_file(copy, n - head);
	}
	free(copy);
	world_end();
}

const struct target target_record = {"record", 7, make, run};
