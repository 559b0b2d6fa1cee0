/* The head of an answer, and what is read out of it. */
#include "answer.h"

#include "retry.h"
#include "test.h"

static void take(struct answer *a, const char *line)
{
	CHECK(answer_line(a, line, strlen(line)) == 0);
}

static void test_lines(void)
{
	struct answer a;
	answer_init(&a);
	CHECK(answer_next(&a, NULL) == NULL);
	take(&a, "HTTP/1.1 100 Continue\r\n");
	take(&a, "x: gone\r\n");
	take(&a, "HTTP/1.1 206 Partial Content\r\n");
	CHECK(a.status == 206);
	CHECK(*answer_header(&a, "x") == '\0');
	take(&a, "ETag:  \"0x1\" \r\n");
	take(&a, "x-ms-meta-a:\r\n");
	take(&a, "no colon\r\n");
	take(&a, "\r\n");
	CHECK(answer_line(&a, "a\0b: c", 6) == 0);
	CHECK(strcmp(answer_header(&a, "etag"), "\"0x1\"") == 0);
	CHECK(strcmp(answer_header(&a, "X-MS-META-A"), "") == 0);
	int n = 0;
	for (const char *l = answer_next(&a, NULL); l; l = answer_next(&a, l))
		n++;
	CHECK(n == 2);
	take(&a, "HTTP/1.1");
	take(&a, "HTTP/");
	answer_clear(&a);
	CHECK(a.status == 0 && answer_next(&a, NULL) == NULL);
	take(&a, "HTTP/2 nonsense");
	CHECK(a.status == 0);
	answer_release(&a);
}

static bool range_of(const char *value, uint64_t got[3])
{
	struct answer a;
	char line[100];
	answer_init(&a);
	(void)snprintf(line, sizeof(line), "Content-Range: %s", value);
	take(&a, line);
	bool is = answer_range(&a, &got[0], &got[1], &got[2]);
	answer_release(&a);
	return is;
}

static void test_range(void)
{
	uint64_t got[3];
	CHECK(range_of("bytes 0-4/10", got));
	CHECK(got[0] == 0 && got[1] == 4 && got[2] == 10);
	CHECK(range_of("bytes 5-5/6000000000", got));
	CHECK(got[2] == UINT64_C(6000000000));
	static const char *const bad[] = {"",
					  "bytes */0",
					  "bytes 0-4/*",
					  "bytes 4-0/10",
					  "bytes 0-10/10",
					  "bytes -1-4/10",
					  "items 0-4/10",
					  "bytes 0-4",
					  "bytes 0-4/10x",
					  "bytes 0",
					  "bytes"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(!range_of(bad[i], got));
}

static double delay_of(const char *value)
{
	struct answer a;
	char line[100];
	answer_init(&a);
	(void)snprintf(line, sizeof(line), "Retry-After: %s", value);
	take(&a, line);
	double seconds = answer_delay(&a, 784111777);
	CHECK(answer_date(&a, "date") == -1);
	answer_release(&a);
	return seconds;
}

static void test_delay(void)
{
	CHECK(delay_of("3") == 3);
	CHECK(delay_of("0") == 0);
	CHECK(delay_of("1.5") == 1.5);
	CHECK(delay_of("Sun, 06 Nov 1994 08:49:47 GMT") == 10);
	CHECK(delay_of("Sun, 06 Nov 1994 08:49:27 GMT") == -1);
	CHECK(delay_of("") == -1);
	CHECK(delay_of("-1") == -1);
	CHECK(delay_of("3 days") == -1);
	CHECK(delay_of("soon") == -1);
}

static void test_code(void)
{
	struct answer a;
	struct buf body;
	char code[16];
	answer_init(&a);
	buf_init(&body, 1000);
	answer_code(&a, &body, code, sizeof(code));
	CHECK(*code == '\0');
	const char *xml = "<Error><Code>BlobNotFound</Code></Error>";
	CHECK(buf_append(&body, xml, strlen(xml)) == 0);
	answer_code(&a, &body, code, sizeof(code));
	CHECK(strcmp(code, "BlobNotFound") == 0);
	for (size_t n = 0; n <= body.len; n++) { /* cut anywhere */
		struct buf cut = {malloc(n + 1), n, n, n};
		CHECK(cut.bytes);
		memcpy(cut.bytes, body.bytes, n);
		answer_code(&a, &cut, code, sizeof(code));
		CHECK(strlen(code) <= 12);
		free(cut.bytes);
	}
	take(&a, "x-ms-error-code: AVeryLongCodeThatIsCut");
	answer_code(&a, &body, code, sizeof(code));
	CHECK(strcmp(code, "AVeryLongCodeTh") == 0);
	buf_release(&body);
	answer_release(&a);
}

static void test_retry(void)
{
	static const int again[] = {408, 429, 500, 502, 503, 504};
	for (int status = 0; status < 600; status++) {
		bool is = false;
		for (size_t i = 0; i < 6; i++)
			is = is || again[i] == status;
		CHECK(retry_status(status) == is);
	}
	CHECK(retry_delay(1, -1, 0) == 0);
	for (unsigned tries = 1; tries < 100; tries++) {
		CHECK(retry_delay(tries, -1, 1) <= UINT64_C(30000000000));
		CHECK(retry_delay(tries + 1, -1, 1) >=
		      retry_delay(tries, -1, 1));
		CHECK(retry_delay(tries, 2, 0) == UINT64_C(2000000000));
	}
	CHECK(retry_delay(50, -1, 1) == UINT64_C(30000000000));
	CHECK(retry_delay(1, 1e9, 0) == UINT64_C(30000000000));
	CHECK(retry_delay(1, 0, 0) == 0);
}

int main(void)
{
	test_lines();
	test_range();
	test_delay();
	test_code();
	test_retry();
	return 0;
}
