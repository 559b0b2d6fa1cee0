/* File systems of this machine and others: what the kernel says is made up. */
#include "disk.h"

#include <fcntl.h>
#include <sys/vfs.h>

#include "test_job.h"

static long kind; /* 0: the real one */
static int failure;

int fstatfs(int fd, struct statfs *out)
{
	if (failure) {
		errno = failure;
		return -1;
	}
	memset(out, 0, sizeof *out);
	out->f_type = kind ? kind : 0xef53;
	CHECK(fcntl(fd, F_GETFD) >= 0);
	return 0;
}

static int create(void)
{
	struct job *j = NULL;
	struct bytes none = {NULL, 0};
	int rc = job_create(&j, store, "disk", none, NULL, 0);
	if (rc == 0)
		CHECK(job_close(j) == 0);
	return rc;
}

static int open_job(void)
{
	struct job *j = NULL;
	int rc = job_open(&j, store, "disk");
	job_forget(j);
	return rc;
}

static int entries(void)
{
	int n = 0;
	DIR *d = opendir(store);
	CHECK(d);
	while (readdir(d))
		n++;
	CHECK(closedir(d) == 0);
	return n - 2;
}

int main(void)
{
	static const long here[] = {0xef53,	/* ext4 */
				    0x58465342, /* XFS */
				    0x9123683e, /* btrfs */
				    0x01021994, /* tmpfs */
				    0x794c7630, /* overlayfs */
				    0x2fc12fc1 /* ZFS */};
	static const long there[] = {0x6969,	 0xff534d42, 0xfe534d42,
				     0x65735546, 0x01021997, 0x00c36400};
	test_store();
	for (size_t i = 0; i < sizeof here / sizeof *here; i++)
		CHECK(!disk_is_remote((unsigned long)here[i]));
	for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
		kind = there[i];
		CHECK(disk_is_remote((unsigned long)kind));
		CHECK(disk_local(0) == -EREMOTE);
		CHECK(create() == -EREMOTE);
		CHECK(entries() == 0); /* nothing is left there */
	}
	kind = (long)(int)0xff534d42; /* with a sign */
	CHECK(disk_local(0) == -EREMOTE);
	failure = ENOSYS;
	CHECK(create() == -ENOSYS);
	failure = 0;
	kind = 0;
	CHECK(create() == 0);
	CHECK(open_job() == 0);
	kind = 0x6969;
	CHECK(open_job() == -EREMOTE);
	CHECK(tmpdir_remove(store) == 0);
	return 0;
}
