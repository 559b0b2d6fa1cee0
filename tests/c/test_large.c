/* Large values in files: written once, read whole or not at all. */
#include "large.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

#include "test.h"
#include "tmpdir.h"

static char base[TMPDIR_MAX];
static int directory;

static void path_of(uint64_t file, char out[TMPDIR_MAX + 40])
{
	(void)snprintf(out, TMPDIR_MAX + 40, "%s/large/%016llx", base,
		       (unsigned long long)file);
}

static int files(void)
{
	char path[TMPDIR_MAX + 40];
	int n = 0;
	(void)snprintf(path, sizeof path, "%s/large", base);
	DIR *d = opendir(path);
	CHECK(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		n += e->d_name[0] != '.';
		CHECK(!strstr(e->d_name, ".part"));
	}
	CHECK(closedir(d) == 0);
	return n;
}

int main(void)
{
	enum { N = 5 };
	static unsigned char a[LARGE_LEAST + 1], b[3 * LARGE_LEAST],
		out[3 * LARGE_LEAST];
	unsigned char packed[LARGE_REF];
	char path[TMPDIR_MAX + 40], other[TMPDIR_MAX + 40];
	struct large_ref ref[N] = {{0}}, r;
	struct stat st;
	uint64_t file;
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)test_random();
	memcpy(a, b + 100, sizeof a);
	const struct bytes values[N] = {
		{a, 10}, {a, sizeof a}, {a, LARGE_LEAST}, {b, sizeof b}, {0}};
	CHECK(tmpdir_make("/tmp", base) == 0);
	directory = open(base, O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	CHECK(large_write(directory, values, N, ref, &file) == -ENOENT);
	CHECK(large_prepare(directory) == 0);
	CHECK(large_write(directory, values, 1, ref, &file) == 0 && file == 0);
	CHECK(files() == 0);
	CHECK(large_write(directory, values, N, ref, &file) == 0 && file != 0);
	CHECK(files() == 1);
	path_of(file, path);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK((size_t)st.st_size == sizeof a + sizeof b);
	CHECK(ref[0].file == 0 && ref[2].file == 0 && ref[4].file == 0);

	large_pack(&ref[3], packed);
	large_unpack(packed, &r);
	CHECK(r.file == file && r.at == sizeof a && r.size == sizeof b);
	CHECK(large_look(directory, &r) == 0);
	CHECK(large_read(directory, &r, out) == 0);
	CHECK(memcmp(out, b, sizeof b) == 0);
	CHECK(large_read(directory, &ref[1], out) == 0);
	CHECK(memcmp(out, a, sizeof a) == 0);

	/* One bit; then too short; a link; a pipe; nothing. */
	int fd = open(path, O_RDWR);
	unsigned char byte;
	CHECK(fd >= 0 && pread(fd, &byte, 1, sizeof a + 77) == 1);
	byte ^= 4;
	CHECK(pwrite(fd, &byte, 1, sizeof a + 77) == 1);
	CHECK(large_read(directory, &r, out) == -EBADMSG);
	CHECK(large_read(directory, &ref[1], out) == 0);
	CHECK(ftruncate(fd, sizeof a + sizeof b - 1) == 0);
	CHECK(large_look(directory, &r) == -EBADMSG);
	CHECK(large_read(directory, &r, out) == -EBADMSG);
	CHECK(close(fd) == 0);
	r.at = UINT64_MAX - 3;
	CHECK(large_look(directory, &r) == -EBADMSG);
	r = ref[1];
	r.size = UINT64_MAX;
	CHECK(large_look(directory, &r) == -EBADMSG);
	(void)snprintf(other, sizeof other, "%s/other", base);
	CHECK(rename(path, other) == 0 && symlink(other, path) == 0);
	CHECK(large_read(directory, &ref[1], out) == -EBADMSG);
	CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	(void)alarm(10); /* nobody will ever write to it */
	CHECK(large_read(directory, &ref[1], out) == -EBADMSG);
	(void)alarm(0);
	large_remove(directory, file);
	CHECK(large_read(directory, &ref[1], out) == -EBADMSG);
	large_remove(directory, file);
	large_remove(directory, 0);
	CHECK(files() == 0);

	/* Half written: by the living, and by the dead. */
	(void)snprintf(path, sizeof path, "%s/large/00ff.part", base);
	CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	large_clean(directory);
	CHECK(stat(path, &st) == 0);
	struct utimbuf then = {st.st_atime - 90000, st.st_mtime - 90000};
	CHECK(utime(path, &then) == 0);
	large_clean(directory);
	CHECK(stat(path, &st) < 0 && errno == ENOENT);

	CHECK(close(directory) == 0);
	CHECK(tmpdir_remove(base) == 0);
	return 0;
}
