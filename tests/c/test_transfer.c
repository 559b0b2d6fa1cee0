/* Transfers from and to a peer that says, word for word, what a test wants:
 * also what no service should say. */
#include "transfer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "test_server.h"
#include "tmpdir.h"

#define RANGE(range, length, body)                                             \
	"HTTP/1.1 206 Partial\r\nContent-Range: bytes " range "\r\n"           \
	"Content-Length: " length "\r\nETag: e\r\n\r\n" body

static struct http *http;
static char base[TMPDIR_MAX];
static char path[TMPDIR_MAX + 20];
static char url[100];
static char asked[TEXT];

/* One item, with blocks of 10 bytes, until it has ended. */
static void run(struct item *it, const char *const *answers)
{
	struct transfer t = {0};
	struct peer p = peer_start(answers);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/c/b", p.port);
	it->url = url;
	it->blocksize = 10;
	it->replace = true;
	CHECK(transfer_init(&t, http, it, 1, 1) == 0);
	t.run.timeout = 5;
	t.run.retries = 3;
	double end = test_now() + 60;
	int rc = 0;
	while (rc == 0 && test_now() < end)
		rc = transfer_step(&t, 100);
	CHECK(rc == 1 && it->stage == ITEM_ENDED);
	t.n = 0; /* the item is the test's to look at */
	transfer_release(&t);
	(void)kill(p.pid, SIGTERM); /* where it was not asked for all */
	(void)waitpid(p.pid, NULL, 0);
	ssize_t n = read(p.asked, asked, sizeof(asked) - 1);
	asked[n > 0 ? n : 0] = '\0';
	(void)close(p.asked);
}

static void no_file_left(void)
{
	DIR *d = opendir(base);
	CHECK(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		CHECK(e->d_name[0] != '.' || strlen(e->d_name) < 3);
	CHECK(closedir(d) == 0);
}

/* To a file or into memory: it must be as expected. */
static void gives(const char *const *answers, bool to_file, const char *what)
{
	struct item it = {.path = to_file ? path : NULL, .md5 = true};
	char got[100] = "";
	run(&it, answers);
	CHECK(!it.error);
	CHECK(it.total == strlen(what));
	if (to_file) {
		int fd = open(path, O_RDONLY);
		CHECK(fd >= 0);
		CHECK(read(fd, got, sizeof(got) - 1) >= 0);
		CHECK(close(fd) == 0 && unlink(path) == 0);
		CHECK(strcmp(got, what) == 0);
	} else {
		CHECK(it.memory.len == strlen(what));
		CHECK(it.memory.len == 0 ||
		      memcmp(it.memory.bytes, what, it.memory.len) == 0);
	}
	item_release(&it);
	no_file_left();
}

/* A try breaks; what is there by the next one is shorter. */
static void test_shorter(void)
{
	const char *answers[] = {"!" RANGE("0-9/10", "10", "abcdefgh"),
				 RANGE("0-2/3", "3", "123"), NULL};
	const char *empty[] = {
		"!" RANGE("0-9/10", "10", "abcdefgh"),
		"HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
	for (int to_file = 0; to_file < 2; to_file++) {
		gives(answers, to_file, "123");
		gives(empty, to_file, "");
	}
}

static void refused(const char *const *answers, const char *why)
{
	for (int to_file = 0; to_file < 2; to_file++) {
		struct item it = {.path = to_file ? path : NULL};
		run(&it, answers);
		CHECK(it.error && strstr(it.error, why));
		CHECK(!it.memory.bytes && access(path, F_OK) < 0);
		item_release(&it);
		no_file_left();
	}
}

/* What is not the range that was asked for is not taken for it. */
static void test_false_ranges(void)
{
	static const char first[] = RANGE("0-9/25", "10", "0123456789");
	static const char *const bad[] = {
		RANGE("1-10/25", "10", "0123456789"), /* another place */
		RANGE("0-8/25", "9", "012345678"),    /* fewer, of more */
		RANGE("0-9/25", "8", "01234567"),     /* fewer than said */
		RANGE("0-9/9", "10", "0123456789"),   /* more than all */
		RANGE("0-9/*", "10", "0123456789"),   /* of how many? */
		RANGE("9-0/25", "10", "0123456789"),  /* backwards */
		RANGE("0-9", "10", "0123456789"),     /* of no form */
		RANGE("x", "10", "0123456789"),	      /* likewise */
		RANGE("0-18446744073709551615/25", "10", "0123456789"),
		RANGE("0-9/99999999999999999999999", "10", "0123456789"),
		"HTTP/1.1 206 P\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/25\r\n"
		"Content-Length: 10\r\n\r\n0123456789", /* no etag */
		"!HTTP/1.1 200 OK\r\n\r\n0123",		/* is that all? */
	};
	static const char *const bad_later[] = {
		RANGE("0-9/25", "10", "0123456789"),
		RANGE("10-19/26", "10", "0123456789"),
		RANGE("10-18/25", "9", "012345678"),
		RANGE("10-19/25", "9", "012345678"),
		RANGE("20-24/25", "5", "01234"),
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused((const char *[]){bad[i], NULL}, "not the range");
	for (size_t i = 0; i < sizeof(bad_later) / sizeof(*bad_later); i++)
		refused((const char *[]){first, bad_later[i], NULL},
			"not the range");
}

/* More bytes than were asked for are taken nowhere. */
static void test_too_much(void)
{
	static const char first[] = RANGE("0-9/25", "10", "0123456789");
	static const char more[] = RANGE("0-10/25", "11", "0123456789a");
	static const char *const bad[] = {
		RANGE("10-20/25", "11", "0123456789a"),
		RANGE("10-19/25", "11", "0123456789a"),
		"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"
		"0123456789012345678901234",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"b\r\n0123456789a\r\n0\r\n\r\n",
	};
	refused((const char *[]){more, NULL}, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused((const char *[]){first, bad[i], NULL}, "more was sent");
}

/* A service that knows no ranges is right where all of it comes. */
static void test_whole(void)
{
	const char *answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0123", NULL};
	const char *chunked[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"4\r\n0123\r\n0\r\n\r\n",
		NULL};
	for (int to_file = 0; to_file < 2; to_file++) {
		gives(answers, to_file, "0123");
		gives(chunked, to_file, "0123");
	}
}

/* Of an append blob blocks are so long that 50,000 are enough, and those may
 * be of no more bytes than the version of the service takes. */
static void test_append_blocks(void)
{
	const char *answers[] = {
		"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 400 Enough\r\nContent-Length: 0\r\n\r\n", NULL};
	struct item it = {.path = path, .uploads = true, .append = true};
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 500001) == 0);
	run(&it, answers); /* blocks of 10 were asked for */
	CHECK(it.status == 400 && it.blocksize == 11);
	CHECK(strstr(asked, "x-ms-blob-type: AppendBlob"));
	item_release(&it);

	static const char *const versions[] = {"2021-06-08", "2022-11-02"};
	for (int i = 0; i < 2; i++) {
		const off_t most = i == 0 ? 4 << 20 : 100 << 20;
		for (off_t more = 0; more < 2; more++) {
			struct transfer t = {0};
			const char *texts[5] = {"me", NULL, NULL, NULL,
						versions[i]};
			CHECK(ftruncate(fd, most * 50000 + more) == 0);
			it = (struct item){.path = path,
					   .url = "http://127.0.0.1:1/c/b",
					   .blocksize = 10,
					   .uploads = true,
					   .append = true};
			CHECK(transfer_init(&t, http, &it, 1, 1) == 0);
			CHECK(sign_account_set(&t.run.account, texts) == 0);
			t.run.timeout = 5;
			while (transfer_step(&t, 100) == 0)
				;
			CHECK(it.error);
			CHECK(!strstr(it.error, "too large") == !more);
			CHECK(more || it.blocksize == (uint64_t)most);
			transfer_release(&t);
		}
	}
	CHECK(close(fd) == 0 && unlink(path) == 0);
}

/* The end of a check is not waited for as if something were on the way. */
static void test_no_pause(void)
{
	enum { MANY = 20 };
	static const char one[] =
		"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-0/1\r\n"
		"Content-Length: 1\r\nETag: e\r\n"
		"x-ms-blob-content-md5: DMF1ucDxtqgxw5niaXcmYQ==\r\n\r\na";
	const char *answers[MANY + 1] = {NULL};
	struct item items[MANY] = {0};
	struct transfer t = {0};
	for (int i = 0; i < MANY; i++)
		answers[i] = one;
	struct peer p = peer_start(answers);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/c/b", p.port);
	for (int i = 0; i < MANY; i++)
		items[i] =
			(struct item){.url = url, .blocksize = 10, .md5 = true};
	CHECK(transfer_init(&t, http, items, MANY, 1) == 0);
	t.run.timeout = 5;
	int steps = 0;
	while (transfer_step(&t, 1000) == 0)
		steps++;
	for (int i = 0; i < MANY; i++)
		CHECK(!items[i].error && items[i].memory.len == 1);
	CHECK(steps < MANY / 2); /* each pause would have been one */
	transfer_release(&t);
	(void)peer_end(&p, asked);
}

/* No more at once than there are descriptors for. */
static void test_few_descriptors(void)
{
	struct rlimit before;
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	static const size_t limits[][2] = {{164, 50}, {65, 1}, {20, 1}};
	for (int i = 0; i < 3; i++) {
		struct rlimit few = {limits[i][0], before.rlim_max};
		struct transfer t = {0};
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		CHECK(transfer_init(&t, http, NULL, 0, 1000) == 0);
		CHECK(t.most == limits[i][1]);
		transfer_release(&t);
	}
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	struct transfer t = {0};
	CHECK(transfer_init(&t, http, NULL, 0, 2) == 0);
	CHECK(t.most == 2);
	transfer_release(&t);
}

int main(void)
{
	CHECK(http_open(&http, NULL, "test") == 0);
	CHECK(tmpdir_make("/tmp", base) == 0);
	(void)snprintf(path, sizeof(path), "%s/file", base);
	test_shorter();
	test_false_ranges();
	test_too_much();
	test_whole();
	test_append_blocks();
	test_no_pause();
	test_few_descriptors();
	CHECK(tmpdir_remove(base) == 0);
	http_unref(http);
	return 0;
}
