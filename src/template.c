/*
 * The template: fork on request, report deaths, bury.
 *
 * The session's end is told by its pidfd as well as by the socket: a child that
 * the session forked elsewhere may hold a copy of the socket for long. Workers
 * are told apart by an id that is never used again, so that a message about a
 * dead one cannot hit its successor.
 */
#include "template.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan_read.h"
#include "io.h"
#include "proc.h"

enum {
	POLL_CHILDREN_MS = 20, /* where no descriptor tells of children */
	CHILDREN = 4096,       /* at a time, those dying included */
};

struct child {
	pid_t pid; /* 0: a free place */
	uint64_t id;
};

struct template
{
	const struct template_options *options;
	const struct template_ops *ops;
	struct chan control;
	int session;	 /* pidfd, or -1 */
	int children_fd; /* signalfd, or -1 */
	sigset_t mask;	 /* for workers */
	struct child children[CHILDREN];
	size_t n;		   /* places ever used */
	char(*names)[TMPDIR_NAME]; /* by place: shared with the workers */
};

static _Noreturn void leave(const struct template *t)
{
	(void)tmpdir_remove(t->options->base);
	proc_leave(0);
}

static _Noreturn void session_died(const struct template *t)
{
	proc_bury_all();
	leave(t);
}

static _Noreturn void goodbye(const struct template *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->children[i].pid > 0)
			(void)kill(t->children[i].pid, SIGKILL);
	for (size_t i = 0; i < t->n; i++)
		while (t->children[i].pid > 0 &&
		       waitpid(t->children[i].pid, NULL, 0) < 0 &&
		       errno == EINTR)
			;
	leave(t);
}

static void report(struct template *t, uint16_t kind, uint64_t id,
		   int64_t extra)
{
	struct wire_head h = {.kind = kind, .first = id, .extra = extra};
	/* Without memory for forty bytes the session is told by our end. */
	if (chan_say(&t->control, &h) < 0)
		session_died(t);
}

/* The place of a child; t->n if it is none of ours. 0 finds a free one. */
static size_t place_of(const struct template *t, pid_t pid)
{
	size_t i = 0;
	while (i < t->n && t->children[i].pid != pid)
		i++;
	return i;
}

static void bury(struct template *t)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		size_t i = place_of(t, pid);
		if (i == t->n)
			continue; /* an orphan that fell to us */
		t->children[i].pid = 0;
		report(t, WIRE_DIED, t->children[i].id, status);
		(void)chan_flush(&t->control);
		char dir[TMPDIR_MAX];
		if (tmpdir_in(t->options->base, t->names[i], dir) == 0)
			(void)tmpdir_remove(dir);
		t->names[i][0] = '\0';
	}
}

static _Noreturn void become_worker(struct template *t, int fd, pid_t parent,
				    char name[TMPDIR_NAME])
{
	chan_release(&t->control);
	io_close(&t->session);
	io_close(&t->children_fd);
	if (proc_die_with(parent) < 0 || proc_unblock(&t->mask) < 0)
		proc_leave(127);
	/* What is not allowed is not done, as with nice(1). */
	if (t->options->niceness != 0 && nice(t->options->niceness) < 0)
		errno = 0;
	t->ops->work(fd, t->options->base, name);
	proc_leave(0);
}

static int64_t start(struct template *t, uint64_t id, int fd)
{
	if (fd < 0)
		return -EBADF;
	size_t i = place_of(t, 0);
	if (i == CHILDREN)
		return -EAGAIN;
	sigset_t mask;
	pid_t parent = getpid();
	pid_t pid = proc_fork(&mask);
	if (pid == 0)
		become_worker(t, fd, parent, t->names[i]);
	if (pid > 0) {
		t->children[i] = (struct child){.pid = pid, .id = id};
		t->n += i == t->n;
	}
	return pid;
}

/* The process of a worker; 0: it is gone. */
static pid_t pid_of(const struct template *t, uint64_t id)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->children[i].pid > 0 && t->children[i].id == id)
			return t->children[i].pid;
	return 0;
}

static void kill_worker(const struct template *t, const struct wire_head *h)
{
	pid_t pid = pid_of(t, h->first);
	if (pid > 0)
		proc_kill(pid, h->extra != 0);
}

static void interrupt_worker(const struct template *t,
			     const struct wire_head *h)
{
	pid_t pid = pid_of(t, h->first);
	if (pid > 0) /* one that can't be is killed, by and by */
		(void)proc_interrupt(pid, (int)h->call);
}

static void obey(struct template *t, const struct wire_head *h)
{
	int fd;
	switch (h->kind) {
	case WIRE_STATE:
		report(t, WIRE_READY, h->first, t->ops->state(&t->control));
		break;
	case WIRE_FORK:
		fd = chan_take_fd(&t->control);
		report(t, WIRE_STARTED, h->first, start(t, h->first, fd));
		io_close(&fd);
		break;
	case WIRE_KILL:
		kill_worker(t, h);
		break;
	case WIRE_INTERRUPT:
		interrupt_worker(t, h);
		break;
	default: /* WIRE_BYE, and what no session says */
		goodbye(t);
	}
}

static void listen_to_session(struct template *t)
{
	int rc = chan_fill(&t->control);
	struct wire_head h;
	while (rc == 0 && (rc = chan_head(&t->control, &h)) == 0) {
		obey(t, &h);
		do
			rc = chan_finish(&t->control);
		while (rc == -EAGAIN);
	}
	if (rc < 0 && rc != -EAGAIN)
		session_died(t);
}

static void serve(struct template *t)
{
	struct pollfd p[3] = {{.fd = t->control.link.fd, .events = POLLIN},
			      {.fd = t->session, .events = POLLIN},
			      {.fd = t->children_fd, .events = POLLIN}};
	if (chan_pending(&t->control))
		p[0].events |= POLLOUT;
	if (poll(p, 3, t->children_fd < 0 ? POLL_CHILDREN_MS : -1) < 0)
		return; /* EINTR, or memory that may come back */
	if (p[1].revents)
		session_died(t);
	if (p[2].revents)
		proc_drain(t->children_fd);
	bury(t);
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		listen_to_session(t);
	int rc = chan_flush(&t->control);
	if (rc < 0 && rc != -EAGAIN)
		session_died(t);
}

/* Zeroed memory that children share. */
static void *share(size_t n)
{
	int prot = PROT_READ | PROT_WRITE;
	int flags = MAP_SHARED | MAP_ANONYMOUS;
	/* cppcheck-suppress invalidFunctionArg */
	return mmap(NULL, n, prot, flags, -1, 0);
}

_Noreturn void template_run(const struct template_options *options,
			    const struct template_ops *ops)
{
	/* Static for its size; a worker that makes a pool of its own inherits
	 * the content from the template it came from. */
	static struct template t;
	t = (struct template){.options = options, .ops = ops};
	chan_init(&t.control, options->control);
	t.control.link.passing = LINK_ONE;
	t.names = share(CHILDREN * sizeof(*t.names));
	if (t.names == MAP_FAILED)
		leave(&t);
	t.children_fd = proc_watch_children(&t.mask);
	t.session = proc_watch(options->session);
	if (t.session == -ESRCH || proc_adopt_orphans() < 0)
		leave(&t);
	if (t.children_fd < 0)
		t.children_fd = -1;
	if (t.session < 0)
		t.session = -1;
	report(&t, WIRE_READY, 0, options->error);
	(void)chan_flush(&t.control);
	if (options->error)
		leave(&t);
	for (;;)
		serve(&t);
}
