/*
 * A pool of the real template and workers that do in C what messages tell them:
 * starting, replacing, every way to die, and that nothing is left behind; over
 * sockets alone, and with memory.
 *
 * All processes of a pool hold the writing end of one named pipe, `life`: its
 * end shows that the last of them is gone.
 */
#include "chan_read.h"
#include "pool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "io.h"
#include "pool_poll.h"
#include "proc.h"
#include "template.h"
#include "test.h"

enum {
	BIG = 3000000, /* bytes: more than any socket holds */
	LARGE = 90000, /* more than is read at a time, less than it holds */
	HUGE = CHAN_CHUNK + LARGE, /* more than is read ahead */
	LIFE = 30, /* seconds: of what a failed test leaves behind */
};

static char top[] = "/tmp/test_poolXXXXXX";
static char life_path[64], base[TMPDIR_MAX];
static int life;    /* its reading end */
static bool shares; /* memory with the workers */

/* ---- a worker ---- */

struct echo {
	struct chan chan;
	struct wire_head head; /* of the message in front */
	char log[100];	       /* the first letter of each call */
	char *text;	       /* payload of the message, as a string */
	size_t len;
};

/* Takes in the whole message in front. */
static void read_text(struct chan *c, char **text, size_t *len)
{
	size_t room = 64;
	*len = 0;
	*text = malloc(room + 1);
	for (;;) {
		CHECK(*text);
		int rc = chan_pull(c, *text, room, len);
		if (rc == 0)
			*text = realloc(*text, (room *= 2) + 1);
		else if (rc == -ENODATA || rc == -ECANCELED)
			break;
		else
			CHECK(rc == -EAGAIN);
	}
	(*text)[*len] = '\0';
	CHECK(chan_finish(c) == 0);
}

static void flush_all(struct chan *c)
{
	int rc;
	while ((rc = chan_relieve(c)) == -EAGAIN)
		;
	CHECK(rc == 0);
}

static void reply(struct echo *e, const void *bytes, size_t n)
{
	struct wire_head h = e->head;
	h.kind = WIRE_RESULT;
	CHECK(chan_begin(&e->chan, &h) == 0);
	CHECK(chan_put(&e->chan, bytes, n) == 0);
	chan_end(&e->chan);
	flush_all(&e->chan);
}

static void reply_number(struct echo *e, long number)
{
	char text[32];
	reply(e, text, (size_t)snprintf(text, sizeof(text), "%ld", number));
}

static void reply_big(struct echo *e)
{
	char *bytes = malloc(BIG);
	CHECK(bytes);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)(i % 251);
	reply(e, bytes, BIG);
	free(bytes);
}

/* Half of an answer. */
static void reply_half(struct echo *e)
{
	struct wire_head h = {.kind = WIRE_RESULT};
	struct wire_writer w;
	struct buf b;
	buf_init(&b, 1000);
	CHECK(wire_begin(&w, &b, &h) == 0);
	CHECK(wire_put(&w, "0123456789", 10) == 0);
	wire_end(&w);
	CHECK(link_send(&e->chan.link, b.bytes, b.len - 5) > 0);
	buf_release(&b);
}

/* A child that has left session and group, and keeps what it has inherited, the
 * channel too. */
static pid_t make_child(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	CHECK(setsid() >= 0);
	for (int s = 1; s < 32; s++)
		(void)signal(s, SIG_IGN);
	test_sleep(LIFE);
	_exit(0);
}

/* Says of its place in the memory what cannot be, of one of the two rings, and
 * then nothing more. */
static void talk_nonsense(struct echo *e, bool of_out)
{
	struct link *l = &e->chan.link;
	const char byte = 0;
	if (of_out)
		l->out.state->written += UINT64_C(1) << 60;
	else
		l->in.state->read += UINT64_C(1) << 60;
	CHECK(io_send(l->fd, &byte, 1) == 1);
	test_sleep(LIFE);
}

static _Noreturn void die(void)
{
	CHECK(kill(getpid(), SIGKILL) == 0);
	for (;;)
		pause();
}

static bool begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

static void obey_range(struct echo *e)
{
	if (e->head.flags & WIRE_QUIET)
		reply(e, "", 0);
	else if (begins(e->text, "echo"))
		reply(e, e->text, e->len);
	else if (begins(e->text, "log"))
		reply(e, e->log, strlen(e->log));
	else if (begins(e->text, "pid"))
		reply_number(e, getpid());
	else if (begins(e->text, "nice"))
		reply_number(e, getpriority(PRIO_PROCESS, 0));
	else if (begins(e->text, "descriptors"))
		reply_number(e, test_descriptors(getpid()));
	else if (begins(e->text, "rings"))
		reply_number(e, link_has_rings(&e->chan.link));
	else if (begins(e->text, "nonsense"))
		talk_nonsense(e, begins(e->text, "nonsense out"));
	else if (begins(e->text, "big"))
		reply_big(e);
	else if (begins(e->text, "exit"))
		proc_leave(atoi(e->text + 4));
	else if (begins(e->text, "die"))
		die();
	else if (begins(e->text, "last")) {
		static char text[HUGE];
		(void)snprintf(text, sizeof(text), "%ld", (long)getpid());
		reply(e, text,
		      begins(e->text, "last large")  ? LARGE
		      : begins(e->text, "last huge") ? HUGE
						     : 10);
		die();
	} else if (begins(e->text, "half")) {
		reply_half(e);
		die();
	} else if (begins(e->text, "held")) {
		reply_number(e, make_child());
		die();
	} else if (begins(e->text, "family")) {
		for (int i = 0; i < 3; i++)
			(void)make_child();
		reply(e, "", 0);
	} else if (begins(e->text, "hang")) {
		test_sleep(LIFE);
	} else if (begins(e->text, "nap")) {
		test_sleep(1);
		reply(e, "", 0);
	} else {
		CHECK(!"a known command");
	}
}

/* template_ops.work */
static void work(int fd, const char *dir, char name[TMPDIR_NAME])
{
	struct echo e = {.log = ""};
	char path[TMPDIR_MAX];
	/* Named before it is there: it may be killed in between. */
	(void)snprintf(name, TMPDIR_NAME, "w%ld", (long)getpid());
	CHECK(tmpdir_in(dir, name, path) == 0 && mkdir(path, 0700) == 0);
	chan_init(&e.chan, fd);
	e.chan.link.passing = LINK_RINGS;
	for (;;) {
		int rc;
		while ((rc = chan_head(&e.chan, &e.head)) == -EAGAIN) {
			rc = chan_fill(&e.chan);
			if (rc == -EAGAIN)
				(void)link_wait(&e.chan.link, LINK_NONE, -1);
			else if (rc < 0)
				proc_leave(0); /* closed by the session */
		}
		CHECK(rc == 0);
		read_text(&e.chan, &e.text, &e.len);
		if (e.head.kind == WIRE_CALL) {
			if (e.text[0] == 'x')
				die(); /* poison */
			e.log[strlen(e.log)] = e.text[0];
		} else {
			CHECK(e.head.kind == WIRE_RANGE);
			obey_range(&e);
		}
		free(e.text);
	}
}

/* template_ops.state: a number, to be answered, and anything. */
static int state(struct chan *control)
{
	char *text;
	size_t len;
	read_text(control, &text, &len);
	int answer = atoi(text);
	free(text);
	return answer;
}

/* ---- the session ---- */

static const struct template_ops ops = {state, work};

static int kept = -1; /* a copy of the template's end, once it is 0 */

static void open_pool_with(struct pool *p, int error, int niceness)
{
	int end[2];
	sigset_t mask;
	CHECK(tmpdir_make("/tmp", base) == 0);
	CHECK(io_pair(end) == 0);
	struct template_options o = {.control = end[1],
				     .session = getpid(),
				     .error = error,
				     .niceness = niceness,
				     .base = base};
	pid_t pid = proc_fork(&mask);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(io_replace_inherited(o.control) == 0);
		CHECK(open(life_path, O_WRONLY | O_CLOEXEC) >= 0);
		CHECK(proc_unblock(&mask) == 0);
		template_run(&o, &ops);
	}
	if (kept == 0)
		kept = fcntl(end[1], F_DUPFD_CLOEXEC, 3);
	io_close(&end[1]);
	CHECK(pool_open(p, end[0], pid) == 0);
	CHECK(pool_alive(p) && p->shares);
	p->shares = shares;
}

/* Rounds of pool_poll() until the condition holds; a wake-up that does not come
 * makes it too late. */
#define UNTIL(p, condition)                                                    \
	do {                                                                   \
		double limit = test_now() + 10;                                \
		while (!(condition)) {                                         \
			CHECK(test_now() < limit);                             \
			int rc_ = pool_poll(p, 3000);                          \
			CHECK(rc_ == 0 || rc_ == -EINTR);                      \
		}                                                              \
	} while (0)

static void open_pool(struct pool *p, size_t n)
{
	open_pool_with(p, 0, 0);
	UNTIL(p, p->answered == 1);
	CHECK(p->answer == 0);
	CHECK(pool_restart(p, n) == 0);
	UNTIL(p, pool_count(p, WORKER_IDLE) == n);
}

/* Everybody is gone within two seconds, whoever waits for them; and so are the
 * directories. */
static void check_nothing_left(void)
{
	struct stat s;
	char c;
	double limit = test_now() + 2;
	while (read(life, &c, 1) != 0) { /* no writer: 0, else -EAGAIN */
		CHECK(test_now() < limit);
		test_sleep(0.005);
	}
	while (stat(base, &s) == 0) {
		CHECK(test_now() < limit);
		test_sleep(0.005);
	}
}

static void close_pool(struct pool *p)
{
	double t = test_now();
	pool_close(p, 5000);
	CHECK(test_now() - t < 2); /* it needs no killing */
	CHECK(!pool_alive(p));
	check_nothing_left();
}

static void send_text(struct chan *c, const struct wire_head *h,
		      const char *text)
{
	CHECK(chan_begin(c, h) == 0);
	CHECK(chan_put(c, text, strlen(text)) == 0);
	chan_end(c);
	int rc = chan_flush(c);
	CHECK(rc == 0 || rc == -EAGAIN);
}

static void tell(struct pool *p, size_t slot, const char *text)
{
	struct worker *w = &p->workers[slot];
	struct wire_head h = {.kind = WIRE_RANGE, .first = slot, .count = 1};
	CHECK(worker_free(w) && worker_step(w, WORKER_CLAIMED) == 0);
	send_text(&w->chan, &h, text);
}

static bool has_answer(struct pool *p, size_t slot)
{
	struct worker *w = &p->workers[slot];
	struct wire_head h;
	return chan_head(&w->chan, &h) == 0 &&
	       (chan_whole(&w->chan) || chan_buffered(&w->chan) >= CHAN_CHUNK);
}

/* The answer, as a string that the caller frees. */
static char *take_answer(struct pool *p, size_t slot, size_t *len)
{
	struct worker *w = &p->workers[slot];
	struct wire_head h;
	char *text;
	CHECK(chan_head(&w->chan, &h) == 0 && h.kind == WIRE_RESULT);
	read_text(&w->chan, &text, len);
	CHECK(worker_step(w, WORKER_DONE) == 0);
	return text;
}

static void check_answer(struct pool *p, size_t slot, const char *expected)
{
	size_t len;
	UNTIL(p, has_answer(p, slot));
	char *text = take_answer(p, slot, &len);
	CHECK(strcmp(text, expected) == 0 && len == strlen(expected));
	free(text);
}

static long ask_number(struct pool *p, size_t slot, const char *command)
{
	size_t len;
	tell(p, slot, command);
	UNTIL(p, has_answer(p, slot));
	char *text = take_answer(p, slot, &len);
	long number = atol(text);
	free(text);
	return number;
}

/* ---- what goes well ---- */

static void works(void)
{
	struct pool p;
	open_pool(&p, 3);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 3; i++)
			tell(&p, i, "echo something");
		for (size_t i = 0; i < 3; i++)
			check_answer(&p, i, "echo something");
	}
	for (size_t i = 0; i < 3; i++) {
		CHECK(ask_number(&p, i, "pid") == p.workers[i].pid);
		CHECK(ask_number(&p, i, "nice") ==
		      getpriority(PRIO_PROCESS, 0));
		CHECK(ask_number(&p, i, "rings") == shares);
		CHECK(link_has_rings(&p.workers[i].chan.link) == shares);
		for (size_t k = 0; k < i; k++) {
			CHECK(p.workers[i].pid != p.workers[k].pid);
			CHECK(p.workers[i].id != p.workers[k].id);
		}
	}
	/* Longer than the socket, all at once. */
	for (size_t i = 0; i < 3; i++)
		tell(&p, i, "big");
	for (size_t i = 0; i < 3; i++) {
		size_t len;
		UNTIL(&p, has_answer(&p, i));
		char *text = take_answer(&p, i, &len);
		CHECK(len == BIG);
		for (size_t k = 0; k < BIG; k++)
			if (text[k] != (char)(k % 251))
				CHECK(!"the bytes that were sent");
		free(text);
	}
	/* And there: no more is sent than it takes, in the course of polling.
	 */
	char *big = malloc(BIG + 1);
	CHECK(big);
	memset(big, ' ', BIG);
	big[BIG] = '\0';
	memcpy(big, "echo", 4);
	tell(&p, 1, big);
	size_t len;
	UNTIL(&p, has_answer(&p, 1));
	char *back = take_answer(&p, 1, &len);
	CHECK(len == BIG && memcmp(big, back, BIG) == 0);
	free(big);
	free(back);
	/* Not a thing while nothing happens; where memory is shared, a wake-up
	 * of before may come late. */
	bool quiet = false;
	for (int i = 0; i < (shares ? 10 : 1) && !quiet; i++) {
		double t = test_now();
		CHECK(pool_poll(&p, 30) == 0);
		quiet = test_now() - t > 0.025;
	}
	CHECK(quiet);
	for (size_t i = 0; i < 3; i++)
		tell(&p, i, "hang");
	CHECK(pool_poll(&p, 30) == 0);
	close_pool(&p); /* work is not waited for */
}

/* Short tasks in quick succession, sleeping for each answer, or not: no wake-up
 * is lost. Without it the answer would be found too late. */
static void is_woken(void)
{
	struct pool p;
	open_pool(&p, 2);
	for (int round = 0; round < 2000; round++) {
		p.cores = round % 500 < 250 ? 0 : 100;
		double limit = test_now() + 10;
		for (size_t i = 0; i < 2; i++)
			tell(&p, i, "echo");
		for (size_t i = 0; i < 2; i++) {
			while (!has_answer(&p, i))
				CHECK(pool_poll(&p, 20000) == 0);
			size_t len;
			free(take_answer(&p, i, &len));
		}
		CHECK(test_now() < limit);
	}
	close_pool(&p);
}

/* Nanoseconds on a processor so far. */
static unsigned long long busy(pid_t pid)
{
	char path[64];
	unsigned long long ns;
	(void)snprintf(path, sizeof(path), "/proc/%ld/schedstat", (long)pid);
	FILE *f = fopen(path, "r");
	CHECK(f && fscanf(f, "%llu", &ns) == 1 && fclose(f) == 0);
	return ns;
}

/* An idle pool takes no time; also after deaths and restarts. */
static void idles(void)
{
	struct pool p;
	open_pool(&p, 2);
	CHECK(pool_restart(&p, 2) == 0);
	UNTIL(&p, pool_count(&p, WORKER_IDLE) == 2);
	tell(&p, 0, "die");
	UNTIL(&p, p.workers[0].state == WORKER_GONE);
	CHECK(pool_poll(&p, 50) == 0);
	unsigned long long own = busy(getpid());
	unsigned long long of_template = busy(p.template);
	unsigned long long of_worker = busy(p.workers[1].pid);
	CHECK(pool_poll(&p, 200) == 0);
	CHECK(busy(getpid()) - own < 30000000);
	CHECK(busy(p.template) - of_template < 30000000);
	CHECK(busy(p.workers[1].pid) - of_worker < 30000000);
	close_pool(&p);
}

static size_t entries(const char *path)
{
	DIR *d = opendir(path);
	CHECK(d);
	size_t n = 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* No other worker has left its directory, or is at work still. */
static void check_workers_only(struct pool *p)
{
	double limit = test_now() + 2;
	while (entries(base) != p->n) {
		CHECK(test_now() < limit);
		CHECK(pool_poll(p, 10) == 0);
	}
}

static void restarts(void)
{
	static const size_t sizes[] = {1, 5, 5, 20, 2};
	struct pool p;
	open_pool(&p, 2);
	uint64_t last_id = 0;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		pid_t before = p.workers[0].pid;
		tell(&p, 0, "hang");
		CHECK(pool_restart(&p, sizes[k]) == 0);
		CHECK(p.n == sizes[k]);
		UNTIL(&p, pool_count(&p, WORKER_IDLE) == sizes[k]);
		for (size_t i = 0; i < p.n; i++) {
			CHECK(p.workers[i].id > last_id);
			CHECK(p.workers[i].pid != before);
			tell(&p, i, "echo");
			check_answer(&p, i, "echo");
			last_id = p.workers[i].id;
		}
		check_workers_only(&p);
	}
	close_pool(&p);
}

static void says_state(struct pool *p, const char *text, int expected)
{
	struct wire_head h = {.kind = WIRE_STATE, .first = ++p->asked};
	send_text(&p->control, &h, text);
	UNTIL(p, p->answered > p->asked);
	CHECK(p->answered == p->asked + 1 && p->answer == expected);
}

static void states(void)
{
	struct pool p;
	open_pool(&p, 1);
	says_state(&p, "0", 0);
	says_state(&p, "13", 13);
	char *big = malloc(BIG + 1);
	CHECK(big);
	memset(big, ' ', BIG);
	big[BIG] = '\0';
	memcpy(big, "7", 1);
	says_state(&p, big, 7); /* more than the socket takes at once */
	free(big);
	tell(&p, 0, "echo");
	check_answer(&p, 0, "echo");
	CHECK(pool_restart(&p, 2) == 0);
	UNTIL(&p, pool_count(&p, WORKER_IDLE) == 2);
	close_pool(&p);
}

/* One that is given up in the middle, with requests right behind. */
static void states_given_up(void)
{
	struct pool p;
	open_pool(&p, 1);
	char *big = calloc(BIG, 1);
	CHECK(big);
	for (int i = 0; i < 20; i++) {
		struct wire_head h = {.kind = WIRE_STATE, .first = ++p.asked};
		CHECK(chan_begin(&p.control, &h) == 0);
		CHECK(chan_put(&p.control, big, BIG) == 0);
		int rc = chan_relieve(&p.control);
		CHECK(rc == 0 || rc == -EAGAIN);
		CHECK(chan_give_up(&p.control) == 0);
		CHECK(pool_restart(&p, 3) == 0);
		UNTIL(&p, pool_count(&p, WORKER_STARTING) == 0);
		CHECK(pool_count(&p, WORKER_IDLE) == 3);
	}
	free(big);
	says_state(&p, "13", 13);
	close_pool(&p);
}

static void nicer(void)
{
	struct pool p;
	int own = getpriority(PRIO_PROCESS, 0);
	open_pool_with(&p, 0, 3);
	CHECK(pool_restart(&p, 1) == 0);
	UNTIL(&p, pool_count(&p, WORKER_IDLE) == 1);
	CHECK(ask_number(&p, 0, "nice") == (own + 3 < 19 ? own + 3 : 19));
	close_pool(&p);
}

/* ---- the set-up of new workers ---- */

static struct blob *new_call(const char *text, size_t padding)
{
	struct wire_head h = {.kind = WIRE_CALL, .call = 5};
	struct wire_writer w;
	struct blob *s = blob_new();
	CHECK(s && wire_begin(&w, &s->buf, &h) == 0);
	CHECK(wire_put(&w, text, strlen(text)) == 0);
	for (; padding > 0; padding--)
		CHECK(wire_put(&w, " ", 1) == 0);
	wire_end(&w);
	return s;
}

static void set_up(void)
{
	struct pool p;
	open_pool(&p, 2);
	struct blob *calls[] = {new_call("a", 0), new_call("b", 500000),
				new_call("c", 0), new_call("x", 0)};
	tell(&p, 0, "log");
	check_answer(&p, 0, "");
	CHECK(pool_set_setup(&p, calls, 3) == 0);
	tell(&p, 0, "die");
	UNTIL(&p, p.workers[0].state == WORKER_GONE);
	CHECK(p.workers[0].stillborn == 0);
	CHECK(pool_start_worker(&p, 0) == 0);
	CHECK(p.workers[0].setup_left == 3);
	UNTIL(&p, p.workers[0].state == WORKER_IDLE);
	tell(&p, 0, "log");
	check_answer(&p, 0, "abc"); /* before anything else, in order */
	tell(&p, 1, "log");
	check_answer(&p, 1, "");
	/* One that kills whoever goes through it. */
	CHECK(pool_set_setup(&p, calls, 4) == 0);
	tell(&p, 0, "die");
	UNTIL(&p, p.workers[0].state == WORKER_GONE);
	for (unsigned i = 1; i < 4; i++) {
		CHECK(pool_start_worker(&p, 0) == 0);
		UNTIL(&p, p.workers[0].state == WORKER_GONE);
		CHECK(p.workers[0].stillborn == i);
	}
	CHECK(pool_set_setup(&p, calls, 1) == 0);
	CHECK(pool_start_worker(&p, 0) == 0);
	UNTIL(&p, p.workers[0].state == WORKER_IDLE);
	CHECK(p.workers[0].stillborn == 0);
	/* It is what new ones altogether go through, too, until it is dropped.
	 */
	for (int i = 0; i < 2; i++) {
		CHECK(pool_restart(&p, 1) == 0);
		UNTIL(&p, p.workers[0].state == WORKER_IDLE);
		tell(&p, 0, "log");
		check_answer(&p, 0, i == 0 ? "a" : "");
		CHECK(pool_set_setup(&p, NULL, 0) == 0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK(calls[i]->refs == 1);
		blob_unref(calls[i]);
	}
	close_pool(&p);
}

/* ---- workers that die ---- */

static void check_replaced(struct pool *p, size_t slot)
{
	CHECK(pool_start_worker(p, slot) == 0);
	UNTIL(p, p->workers[slot].state == WORKER_IDLE);
	tell(p, slot, "echo again");
	check_answer(p, slot, "echo again");
}

static void deaths(void)
{
	struct pool p;
	open_pool(&p, 2);
	static const int statuses[] = {0, 1, 3, 255};
	for (size_t i = 0; i < 4; i++) {
		char command[20];
		(void)snprintf(command, sizeof(command), "exit %d",
			       statuses[i]);
		tell(&p, i % 2, command);
		struct worker *w = &p.workers[i % 2];
		UNTIL(&p, w->state == WORKER_GONE);
		CHECK(WIFEXITED(w->status));
		CHECK(WEXITSTATUS(w->status) == statuses[i]);
		CHECK(!worker_free(w));
		check_replaced(&p, i % 2);
	}
	static const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGUSR1};
	for (size_t i = 0; i < 4; i++) { /* idle and busy ones */
		struct worker *w = &p.workers[0];
		if (i % 2)
			tell(&p, 0, "hang");
		CHECK(kill(w->pid, signals[i]) == 0);
		UNTIL(&p, w->state == WORKER_GONE);
		CHECK(WIFSIGNALED(w->status));
		CHECK(WTERMSIG(w->status) == signals[i]);
		check_replaced(&p, 0);
	}
	/* By the template, also one that is stopped. */
	for (int i = 0; i < 2; i++) {
		struct worker *w = &p.workers[1];
		if (i)
			CHECK(kill(w->pid, SIGSTOP) == 0);
		CHECK(pool_kill_worker(&p, 1) == 0);
		UNTIL(&p, w->state == WORKER_GONE);
		CHECK(WIFSIGNALED(w->status) && WTERMSIG(w->status) == SIGKILL);
		CHECK(pool_kill_worker(&p, 1) == 0); /* nobody there */
		check_replaced(&p, 1);
	}
	close_pool(&p);
}

/* What a worker sent before its death is read before it counts as gone. */
static void last_words(void)
{
	struct pool p;
	open_pool(&p, 2);
	for (int i = 0; i < 60; i++) {
		size_t len, slot = (size_t)i % 2;
		bool held = i % 10 == 0, large = i % 4 == 1;
		pid_t heard = 0, pid = p.workers[slot].pid;
		tell(&p, slot, held ? "held" : large ? "last large" : "last");
		if (i % 3 == 0)
			test_sleep(0.002);
		double limit = test_now() + 10;
		while (p.workers[slot].state != WORKER_GONE) {
			CHECK(pool_poll(&p, 10000) == 0);
			CHECK(test_now() < limit);
			if (!has_answer(&p, slot))
				continue;
			char *text = take_answer(&p, slot, &len);
			CHECK(held || len == (large ? LARGE : 10));
			heard = (pid_t)atol(text);
			free(text);
		}
		CHECK(held ? heard > 0 && heard != pid : heard == pid);
		if (held) /* it has kept the channel open until here */
			CHECK(kill(heard, SIGKILL) == 0);
		check_replaced(&p, slot);
	}
	for (int i = 0; i < 5; i++) { /* it is not all read, but all here */
		size_t len;
		tell(&p, 0, "last huge");
		UNTIL(&p, p.workers[0].died);
		UNTIL(&p, has_answer(&p, 0));
		free(take_answer(&p, 0, &len));
		CHECK(len == HUGE);
		UNTIL(&p, p.workers[0].state == WORKER_GONE);
		check_replaced(&p, 0);
	}
	for (int i = 0; i < 5; i++) { /* an answer cut off is none */
		tell(&p, 0, "half");
		UNTIL(&p, p.workers[0].state == WORKER_GONE);
		CHECK(!has_answer(&p, 0));
		check_replaced(&p, 0);
	}
	close_pool(&p);
}

/* One that the template could not fork. */
static void not_started(void)
{
	struct pool p;
	open_pool(&p, 1);
	tell(&p, 0, "die");
	struct worker *w = &p.workers[0];
	UNTIL(&p, w->state == WORKER_GONE);
	struct wire_head h = {.kind = WIRE_FORK, .first = w->id = p.next_id++};
	CHECK(worker_step(w, WORKER_ASKED) == 0);
	w->died = false;
	CHECK(chan_say(&p.control, &h) == 0); /* without a descriptor */
	UNTIL(&p, w->state != WORKER_STARTING);
	CHECK(w->state == WORKER_NONE && w->status == -EBADF);
	check_replaced(&p, 0);
	close_pool(&p);
}

/* One that has written over what it shares with us will never answer: it ends,
 * and while it has not, nothing is asked of it again and again. */
static void damaged(void)
{
	for (int out = 0; out < 2; out++) {
		struct pool p;
		open_pool(&p, 2);
		struct worker *w = &p.workers[0];
		struct wire_head h = {.kind = WIRE_CALL};
		tell(&p, 0, out ? "nonsense out" : "nonsense in");
		CHECK(pool_poll(&p, 3000) == 0);
		CHECK(out || chan_say(&w->chan, &h) == 0);
		UNTIL(&p, w->state == WORKER_GONE);
		check_replaced(&p, 0);
		close_pool(&p);
	}
}

/* The template has no descriptor left for a while: no worker then, and no more
 * than that. */
static void none_left(void)
{
	struct pool p;
	open_pool(&p, 1);
	struct worker *w = &p.workers[0];
	tell(&p, 0, "die");
	UNTIL(&p, w->state == WORKER_GONE);
	struct rlimit old, few;
	CHECK(prlimit(p.template, RLIMIT_NOFILE, NULL, &old) == 0);
	few = old;
	few.rlim_cur = 3;
	CHECK(prlimit(p.template, RLIMIT_NOFILE, &few, NULL) == 0);
	CHECK(pool_start_worker(&p, 0) == 0);
	UNTIL(&p, w->state != WORKER_STARTING);
	CHECK(w->state == WORKER_NONE && w->status < 0);
	CHECK(prlimit(p.template, RLIMIT_NOFILE, &old, NULL) == 0);
	check_replaced(&p, 0);
	close_pool(&p);
}

static struct blob *call_with(const char *text, size_t n)
{
	struct blob *s = new_call(text, 0);
	struct wire_head h = {.kind = WIRE_CALL,
			      .flags = (uint16_t)(n * WIRE_PASSED)};
	wire_pack(&h, s->buf.bytes);
	for (size_t i = 0; i < n; i++)
		CHECK(blob_attach(s, fcntl(0, F_DUPFD_CLOEXEC, 3)) == 0);
	return s;
}

/* More descriptors than may be on the way to a worker that does not look: they
 * wait, and so do we, as do all messages behind them; when it looks, they go
 * on. If it never does, the next one starts afresh. */
static void waits_to_pass(void)
{
	enum { N = 60, BLOBS = 7 };
	struct pool p;
	open_pool(&p, 2);
	int own = test_descriptors(getpid());
	long of_worker = ask_number(&p, 0, "descriptors");
	struct worker *w = &p.workers[0];
	struct blob *s = call_with("a", N);
	for (int round = 0; round < 2; round++) {
		bool hangs = round == 1;
		tell(&p, 0, hangs ? "hang" : "nap");
		unsigned long long before = busy(getpid());
		for (int i = 0; i < BLOBS; i++)
			CHECK(chan_queue(&w->chan, s) == 0);
		CHECK(w->chan.queued == BLOBS);
		double end = test_now() + 0.3;
		int rounds = 0;
		for (; test_now() < end; rounds++)
			CHECK(pool_poll(&p, 100) == 0);
		CHECK(busy(getpid()) - before < 60000000 && rounds < 20);
		CHECK(chan_wants(&w->chan) == LINK_PASS);
		CHECK(w->chan.queued == BLOBS - LINK_CREDIT / N);
		CHECK(w->chan.queue_passed == LINK_CREDIT % N);
		tell(&p, 1, "echo"); /* which is nothing to the others */
		check_answer(&p, 1, "echo");
		CHECK(chan_wants(&w->chan) == LINK_PASS);
		if (hangs)
			break;
		check_answer(&p, 0, "");
		tell(&p, 0, "log");
		check_answer(&p, 0, "aaaaaaa");
		CHECK(!chan_pending(&w->chan) && s->refs == 1);
		CHECK(link_credit(&w->chan.link) == LINK_CREDIT);
		CHECK(ask_number(&p, 0, "descriptors") == of_worker);
	}
	CHECK(pool_kill_worker(&p, 0) == 0);
	UNTIL(&p, w->state == WORKER_GONE);
	check_replaced(&p, 0);
	CHECK(s->refs == 1 && link_credit(&w->chan.link) == LINK_CREDIT);
	CHECK(chan_queue(&w->chan, s) == 0);
	tell(&p, 0, "log");
	check_answer(&p, 0, "a");
	blob_unref(s);
	CHECK(test_descriptors(getpid()) == own);
	close_pool(&p);
}

/* ---- the end of the template ---- */

static void check_lost(struct pool *p)
{
	int rc;
	double limit = test_now() + 2;
	while ((rc = pool_poll(p, 50)) == 0)
		CHECK(test_now() < limit);
	CHECK(rc == -EPIPE && p->lost);
	CHECK(pool_poll(p, 50) == -EPIPE); /* and it stays so */
}

/* The directories of a template that was killed are left: the test's own. */
static void killed_template(void)
{
	for (int way = 0; way < 4; way++) {
		struct pool p;
		kept = way == 3 ? 0 : -1; /* no end to be seen then */
		open_pool(&p, 4);
		if (way == 1)
			for (size_t i = 0; i < 4; i++)
				tell(&p, i, "hang");
		if (way == 2) /* none is there yet */
			CHECK(pool_restart(&p, 4) == 0);
		CHECK(kill(p.template, SIGKILL) == 0);
		check_lost(&p);
		double t = test_now();
		pool_close(&p, 5000);
		CHECK(test_now() - t < 1);
		CHECK(tmpdir_remove(base) == 0);
		check_nothing_left();
		io_close(&kept);
	}
}

static void failed_template(void)
{
	struct pool p;
	open_pool_with(&p, ENOENT, 0);
	check_lost(&p);
	CHECK(p.answered == 1 && p.answer == ENOENT); /* it says why */
	close_pool(&p);
}

/* It does not listen: killed after the time it was given. */
static void stopped_template(void)
{
	struct pool p;
	open_pool(&p, 2);
	CHECK(kill(p.template, SIGSTOP) == 0);
	double t = test_now();
	pool_close(&p, 200);
	CHECK(test_now() - t > 0.19 && test_now() - t < 2);
	CHECK(tmpdir_remove(base) == 0);
	check_nothing_left();
}

static void nonsense(void)
{
	/* to the template: it buries everything */
	struct pool p;
	open_pool(&p, 2);
	static const char noise[100] = "noise";
	CHECK(io_send(p.control.link.fd, noise, sizeof(noise)) ==
	      sizeof(noise));
	check_lost(&p);
	close_pool(&p);
	/* from something else in its place */
	int end[2];
	CHECK(io_pair(end) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(io_send(end[1], noise, sizeof(noise)) > 0);
		test_sleep(LIFE);
		_exit(0);
	}
	io_close(&end[1]);
	CHECK(pool_open(&p, end[0], pid) == 0);
	check_lost(&p);
	pool_close(&p, 0);
	CHECK(waitpid(pid, NULL, WNOHANG) < 0); /* it was waited for */
}

/* ---- the end of the session ---- */

/* In a forked session: sits on its pool until it is killed; way says what goes
 * on then. `ready` is told when that is so; of_stranger: what shares its
 * descriptors, but is no child of its pool. */
static _Noreturn void session(int way, int ready, pid_t *of_stranger)
{
	struct pool p;
	open_pool(&p, 3);
	switch (way) {
	case 0: /* nothing */
		break;
	case 1: /* work, and children of workers */
		for (size_t i = 0; i < 3; i++) {
			tell(&p, i, "family");
			check_answer(&p, i, "");
			tell(&p, i, "hang");
		}
		break;
	case 2: /* workers are just started */
		CHECK(pool_restart(&p, 5) == 0);
		break;
	default: /* another process holds its sockets */
		*of_stranger = fork();
		CHECK(*of_stranger >= 0);
		if (*of_stranger == 0) {
			test_sleep(LIFE);
			_exit(0);
		}
		tell(&p, 0, "family");
		check_answer(&p, 0, "");
	}
	struct {
		pid_t stranger;
		char base[TMPDIR_MAX];
	} news = {.stranger = *of_stranger};
	memcpy(news.base, base, sizeof(base));
	CHECK(write(ready, &news, sizeof(news)) == sizeof(news));
	for (;;)
		(void)pool_poll(&p, 1000);
}

static void killed_session(void)
{
	for (int round = 0; round < 16; round++) {
		int ready[2];
		CHECK(pipe(ready) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			pid_t stranger = 0;
			session(round % 4, ready[1], &stranger);
		}
		CHECK(close(ready[1]) == 0);
		struct {
			pid_t stranger;
			char base[TMPDIR_MAX];
		} news;
		CHECK(read(ready[0], &news, sizeof(news)) == sizeof(news));
		CHECK(close(ready[0]) == 0);
		memcpy(base, news.base, sizeof(base));
		char c;
		CHECK(read(life, &c, 1) < 0 && errno == EAGAIN);
		test_sleep((double)test_below(3000) * 1e-6);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, NULL, 0) == pid);
		check_nothing_left();
		if (news.stranger > 0)
			CHECK(kill(news.stranger, SIGKILL) == 0);
	}
}

/* ---- what must not pile up ---- */

static void no_leaks(void)
{
	enum { N = 2, ROUNDS = 200 };
	int before = test_descriptors(getpid());
	struct pool p;
	open_pool(&p, N);
	int own = test_descriptors(getpid());
	int of_template = test_descriptors(p.template);
	long of_worker = ask_number(&p, 0, "descriptors");
	/* Its channel, in place of socket, pidfd and signalfd. */
	CHECK(of_worker == of_template - 2);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pool_restart(&p, N) == 0);
		if (i % 4 == 0) /* not every time before the next one */
			continue;
		UNTIL(&p, pool_count(&p, WORKER_IDLE) == N);
		if (i % 20 == 1) {
			tell(&p, 1, "die");
			UNTIL(&p, p.workers[1].state == WORKER_GONE);
			check_replaced(&p, 1);
		}
	}
	CHECK(test_descriptors(getpid()) == own);
	CHECK(test_descriptors(p.template) == of_template);
	CHECK(ask_number(&p, 0, "descriptors") == of_worker);
	check_workers_only(&p);
	close_pool(&p);
	CHECK(test_descriptors(getpid()) == before);
}

/* ---- small things ---- */

static void interrupted(void)
{
	struct pool p;
	open_pool(&p, 1);
	test_alarm(10);
	CHECK(pool_poll(&p, 5000) == -EINTR);
	tell(&p, 0, "echo");
	check_answer(&p, 0, "echo");
	close_pool(&p);
}

static void of_another_process(void)
{
	struct pool p;
	open_pool(&p, 1);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(!pool_alive(&p));
		_exit(0);
	}
	test_wait_ok(pid);
	CHECK(pool_alive(&p));
	tell(&p, 0, "echo");
	check_answer(&p, 0, "echo");
	close_pool(&p);
}

static void with_any_link(void)
{
	works();
	is_woken();
	idles();
	restarts();
	states();
	states_given_up();
	nicer();
	set_up();
	deaths();
	last_words();
	not_started();
	killed_template();
	failed_template();
	stopped_template();
	nonsense();
	killed_session();
	no_leaks();
	interrupted();
	of_another_process();
}

int main(void)
{
	int before = test_descriptors(getpid());
	CHECK(mkdtemp(top));
	CHECK(setenv("TMPDIR", top, 1) == 0);
	(void)snprintf(life_path, sizeof(life_path), "%s/life", top);
	CHECK(mkfifo(life_path, 0600) == 0);
	life = open(life_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(life >= 0);
	with_any_link();
	shares = true;
	with_any_link();
	damaged();
	waits_to_pass();
	none_left();
	CHECK(close(life) == 0);
	CHECK(tmpdir_remove(top) == 0);
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
