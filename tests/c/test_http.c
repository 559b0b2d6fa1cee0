/* Requests to a peer that says, word for word, what a test wants: what is sent,
 * what is tried again, what is given up. */
#include "http.h"

#include "clock.h"
#include "test_server.h"

static int ended;

static void on_done(struct exchange *x)
{
	(void)x;
	ended++;
}

static struct sign_account nobody;

static void ask(struct exchange *x, const char *verb, const char *url)
{
	exchange_init(x, 1000);
	x->verb = verb;
	x->url = url;
	x->account = &nobody;
	x->retries = 3;
	x->timeout = 5;
	x->done = on_done;
}

static void run(struct http *h, struct exchange *x)
{
	ended = 0;
	CHECK(http_add(h, x) == 0);
	double end = test_now() + 60;
	while (!ended && test_now() < end)
		CHECK(http_step(h, 100) == 0);
	CHECK(ended == 1);
	CHECK(!x->easy);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: e\r\n\r\nok"
#define N(array) (sizeof(array) / sizeof(*(array)))

static char url[100];
static char asked[TEXT];

static const char *url_of(const struct peer *p, const char *path)
{
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", p->port,
		       path);
	return url;
}

/* What is sent, to the letter. */
static void test_sent(struct http *h)
{
	const char *answers[] = {OK, NULL};
	const char *headers[] = {"x-ms-meta-a:", "x-ms-meta-b: c  d",
				 "x-ms-date: today", "x-ms-version: 1"};
	struct peer p = peer_start(answers);
	struct exchange x;
	ask(&x, "PUT", url_of(&p, "/a/../%2F?b=c"));
	x.headers = headers;
	x.n_headers = N(headers);
	x.body.bytes = (const unsigned char *)"body";
	x.body.length = 4;
	run(h, &x);
	CHECK(x.rc == 0 && x.answer.status == 200 && x.tries == 1);
	CHECK(x.text.len == 2 && memcmp(x.text.bytes, "ok", 2) == 0);
	CHECK(strcmp(answer_header(&x.answer, "etag"), "e") == 0);
	exchange_release(&x);
	(void)peer_end(&p, asked);
	CHECK(strncmp(asked, "PUT /a/../%2F?b=c HTTP/1.1\r\n", 28) == 0);
	CHECK(strstr(asked, "\r\nx-ms-meta-a:\r\n"));
	CHECK(strstr(asked, "\r\nx-ms-meta-b: c  d\r\n"));
	CHECK(strstr(asked, "\r\nx-ms-date: today\r\n"));
	CHECK(strstr(asked, "\r\nContent-Length: 4\r\n"));
	CHECK(strstr(asked, "\r\n\r\nbody"));
	CHECK(!strstr(asked, "Content-Type") && !strstr(asked, "Expect"));
	CHECK(!strstr(asked, "Authorization"));
}

static void check_account(struct http *h, const char *const texts[5],
			  const char *header, const char *line)
{
	const char *answers[] = {"HTTP/1.1 302 Found\r\nLocation: "
				 "http://localhost:1/x\r\n"
				 "Content-Length: 0\r\n\r\n",
				 NULL};
	struct peer p = peer_start(answers);
	struct sign_account a;
	struct exchange x;
	CHECK(sign_account_set(&a, texts) == 0);
	ask(&x, "GET", url_of(&p, "/c?comp=list"));
	x.account = &a;
	run(h, &x);
	CHECK(x.answer.status == 302); /* followed nowhere */
	exchange_release(&x);
	sign_account_release(&a);
	(void)peer_end(&p, asked);
	CHECK(strstr(asked, header));
	CHECK(strstr(asked, line));
	CHECK(strstr(asked, "x-ms-date: "));
}

static void test_accounts(struct http *h)
{
	check_account(h, (const char *[]){"me", "Zm9v", NULL, "sig=s", "7"},
		      "Authorization: SharedKey me:", "x-ms-version: 7\r\n");
	check_account(h, (const char *[]){"me", NULL, "tok", NULL, "7"},
		      "Authorization: Bearer tok\r\n",
		      "GET /c?comp=list HTTP/1.1\r\n");
	check_account(h, (const char *[]){"me", NULL, NULL, "sig=s", "7"},
		      "x-ms-version: 7\r\n",
		      "GET /c?comp=list&sig=s HTTP/1.1\r\n");
}

/* One after the other, what passes; then all is well. */
static void test_again(struct http *h)
{
	const char *answers[] = {
		"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "", "",
		OK, NULL};
	struct peer p = peer_start(answers);
	struct exchange x;
	ask(&x, "GET", url_of(&p, "/"));
	run(h, &x);
	CHECK(x.rc == 0 && x.answer.status == 200 && x.tries >= 3);
	CHECK(x.text.len == 2);
	exchange_release(&x);
	(void)peer_end(&p, asked);
}

static void test_given_up(struct http *h)
{
	const char *busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n"
			   "Retry-After: 0\r\n\r\nbusy";
	const char *answers[] = {busy, busy, busy, NULL};
	struct peer p = peer_start(answers);
	struct exchange x;
	uint64_t before = http_throttled(h);
	ask(&x, "GET", url_of(&p, "/"));
	x.retries = 2;
	run(h, &x);
	CHECK(x.rc == 0 && x.answer.status == 503 && x.tries == 3);
	CHECK(x.text.len == 4);
	CHECK(http_throttled(h) == before + 3);
	exchange_release(&x);
	(void)peer_end(&p, asked);
	ask(&x, "GET", url_of(&p, "/?sig=secret")); /* nobody listens there */
	x.retries = 1;
	run(h, &x);
	CHECK(x.rc == -ENOTCONN && x.answer.status == 0 && x.tries == 2);
	CHECK(x.error[0] != '\0' && !strstr(x.error, "secret"));
	exchange_release(&x);
}

/* A clock that is an hour wrong is put right, once. */
static void test_skew(struct http *h)
{
	char no[200];
	char date[SIGN_DATE];
	sign_date(time(NULL) + 3600, date);
	(void)snprintf(no, sizeof(no),
		       "HTTP/1.1 403 No\r\nDate: %s\r\n"
		       "Content-Length: 0\r\n\r\n",
		       date);
	const char *answers[] = {no, OK, no, NULL};
	const char *texts[5] = {"me", "Zm9v", NULL, NULL, NULL};
	struct peer p = peer_start(answers);
	struct sign_account a;
	struct exchange x;
	CHECK(sign_account_set(&a, texts) == 0);
	ask(&x, "GET", url_of(&p, "/"));
	x.account = &a;
	run(h, &x);
	CHECK(x.answer.status == 200 && x.tries == 2);
	exchange_release(&x);
	ask(&x, "GET", url_of(&p, "/")); /* another reason now */
	x.account = &a;
	run(h, &x);
	CHECK(x.answer.status == 403 && x.tries == 1);
	exchange_release(&x);
	sign_account_release(&a);
	size_t n = peer_end(&p, asked);
	char hour[20];
	(void)snprintf(hour, sizeof(hour), "%.14s", date); /* to the hour */
	size_t first = strlen(asked) + 1;
	CHECK(first < n && strstr(asked + first, hour));
}

/* Of those that were signed at once with the wrong time, every one is put
 * right: the peer has both before it answers either. */
static void test_skew_of_all(void)
{
	enum { BOTH = 2 };
	struct http *h;
	char no[200];
	char date[SIGN_DATE];
	const char *texts[5] = {"me", "Zm9v", NULL, NULL, NULL};
	struct sign_account a;
	struct exchange x[BOTH];
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(listener >= 0);
	CHECK(bind(listener, (struct sockaddr *)&at, size) == 0);
	CHECK(listen(listener, BOTH) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
	struct peer p = {.port = ntohs(at.sin_port)};
	sign_date(time(NULL) - 3600, date);
	(void)snprintf(no, sizeof(no),
		       "HTTP/1.1 403 No\r\nDate: %s\r\n"
		       "Content-Length: 0\r\n\r\n",
		       date);
	p.pid = fork();
	CHECK(p.pid >= 0);
	if (p.pid == 0) {
		int fds[BOTH];
		for (int round = 0; round < 2; round++) {
			const char *text = round == 0 ? no : OK;
			for (int i = 0; i < BOTH; i++) {
				if (round == 0)
					fds[i] = accept(listener, NULL, NULL);
				CHECK(fds[i] >= 0);
				CHECK(read_request(fds[i], asked) > 0);
			}
			for (int i = 0; i < BOTH; i++)
				CHECK(send(fds[i], text, strlen(text),
					   MSG_NOSIGNAL) > 0);
		}
		_exit(0);
	}
	CHECK(http_open(&h, NULL, "test") == 0);
	CHECK(sign_account_set(&a, texts) == 0);
	ended = 0;
	for (int i = 0; i < BOTH; i++) {
		ask(&x[i], "GET", url_of(&p, "/"));
		x[i].account = &a;
		CHECK(http_add(h, &x[i]) == 0);
	}
	double end = test_now() + 60;
	while (ended < BOTH && test_now() < end)
		CHECK(http_step(h, 100) == 0);
	for (int i = 0; i < BOTH; i++) {
		CHECK(x[i].answer.status == 200 && x[i].tries == 2);
		exchange_release(&x[i]);
	}
	sign_account_release(&a);
	http_unref(h);
	(void)close(listener);
	test_wait_ok(p.pid);
}

/* What is not encrypted goes to this machine by no proxy. */
static void test_proxy(struct http *h)
{
	const char *answers[] = {OK, NULL};
	CHECK(setenv("http_proxy", "http://127.0.0.1:1", 1) == 0);
	for (int i = 0; i < 3; i++) {
		static const char *const hosts[] = {"127.0.0.1", "LocalHost",
						    "a.localhost"};
		struct peer p = peer_start(answers);
		struct exchange x;
		char at[100];
		(void)snprintf(at, sizeof(at), "HTTP://%s:%d/", hosts[i],
			       p.port);
		ask(&x, "GET", at);
		x.retries = 0;
		run(h, &x);
		CHECK(x.answer.status == 200);
		exchange_release(&x);
		(void)peer_end(&p, asked);
	}
	static const char *const others[] = {
		"http://localhost.example/", "http://xlocalhost/",
		"http://127.0.0.1.example/", "http://localhos/",
		"http://128.0.0.1/"};
	for (int i = 0; i < 5; i++) { /* by the proxy, which is not there */
		struct exchange x;
		ask(&x, "GET", others[i]);
		x.retries = 0;
		run(h, &x);
		CHECK(x.rc == -ENOTCONN && strstr(x.error, "127.0.0.1"));
		exchange_release(&x);
	}
	CHECK(unsetenv("http_proxy") == 0);
}

static void test_sinks(struct http *h)
{
	const char *answers[] = {OK, OK, OK,
				 "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n"
				 "error",
				 NULL};
	struct peer p = peer_start(answers);
	struct exchange x;
	unsigned char bytes[3] = "...";
	ask(&x, "GET", url_of(&p, "/"));
	x.sink.at = bytes;
	x.sink.most = 3;
	run(h, &x);
	CHECK(x.rc == 0 && x.received == 2 && memcmp(bytes, "ok.", 3) == 0);
	x.sink.most = 1; /* more than that comes */
	run(h, &x);
	CHECK(x.rc == -EMSGSIZE && x.tries == 1);
	exchange_release(&x);
	ask(&x, "GET", url_of(&p, "/"));
	x.text.max = 1;
	run(h, &x);
	CHECK(x.rc == -EFBIG);
	x.text.max = 3; /* of an error there is what fits */
	run(h, &x);
	CHECK(x.rc == 0 && x.text.len == 3);
	exchange_release(&x);
	(void)peer_end(&p, asked);
}

/* A file to send that is too short; a head that is not one. */
static void test_local(struct http *h)
{
	const char *headers[] = {"a: b\r\nc: d"};
	FILE *f = tmpfile();
	CHECK(f && fputs("abc", f) >= 0 && fflush(f) == 0);
	const char *answers[] = {NULL};
	struct peer p = peer_start(answers);
	struct exchange x;
	ask(&x, "PUT", "http://127.0.0.1:1/");
	x.headers = headers;
	x.n_headers = 1;
	CHECK(http_add(h, &x) == -EINVAL);
	exchange_release(&x);
	test_wait_ok(p.pid);
	(void)close(p.asked);

	const char *one[] = {"", NULL};
	p = peer_start(one);
	ask(&x, "PUT", url_of(&p, "/"));
	x.body.fd = fileno(f);
	x.body.length = 2000;
	run(h, &x);
	CHECK(x.rc == -ENODATA && x.tries == 1);
	exchange_release(&x);
	(void)kill(p.pid, SIGKILL);
	(void)waitpid(p.pid, NULL, 0);
	(void)close(p.asked);
	CHECK(fclose(f) == 0);
}

/* What is on the way, or waits for its next try, can be taken back. */
static void test_cancel(struct http *h)
{
	const char *answers[] = {"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\n"
				 "Content-Length: 0\r\n\r\n",
				 NULL};
	struct peer p = peer_start(answers);
	struct exchange x;
	ended = 0;
	ask(&x, "GET", url_of(&p, "/"));
	CHECK(http_add(h, &x) == 0);
	http_cancel(h, &x);
	CHECK(!x.easy);
	CHECK(http_add(h, &x) == 0);
	double end = test_now() + 20;
	while (x.easy && test_now() < end)
		CHECK(http_step(h, 50) == 0);
	CHECK(!x.easy && ended == 0 && x.answer.status == 503);
	http_cancel(h, &x);
	http_cancel(h, &x);
	CHECK(http_step(h, 10) == 0);
	CHECK(ended == 0);
	exchange_release(&x);
	(void)peer_end(&p, asked);
}

int main(void)
{
	struct http *h;
	CHECK(http_open(&h, NULL, "test") == 0);
	CHECK(http_ref(h) == h);
	http_unref(h);
	test_sent(h);
	test_accounts(h);
	test_again(h);
	test_given_up(h);
	test_skew(h);
	test_skew_of_all();
	test_proxy(h);
	test_sinks(h);
	test_local(h);
	test_cancel(h);
	http_unref(h);
	return 0;
}
