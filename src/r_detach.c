/*
 * Starting a supervisor, and being one: what it has to know, and how its start
 * went, go over one socket, its standard input. So no secret is in its
 * arguments, in its environment, or on a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "detach.h"
#include "io.h"
#include "proc.h"
#include "r_entry.h"
#include "r_node.h"

enum { SLICE = 100, PIECE = 4096, REPORT_MS = 10000 };

struct started {
	pid_t owner;
	pid_t pid; /* its own */
	bool heard;
	int fd;		/* our end */
	int its;	/* the supervisor's, until it is started */
	struct buf got; /* of its report */
};

static void release(struct started *s)
{
	io_close(&s->fd);
	io_close(&s->its);
	buf_release(&s->got);
}

static void finalize(SEXP handle)
{
	struct started *s = (struct started *)R_ExternalPtrAddr(handle);
	if (!s)
		return;
	R_ClearExternalPtr(handle);
	if (s->owner == proc_self())
		release(s);
	free(s);
}

static pid_t start(struct started *s, char **argv, char **env, const char *log)
{
	int end[2];
	int rc = io_pair(end);
	if (rc < 0)
		return rc;
	s->fd = end[0];
	s->its = end[1];
	s->pid = detach_start(argv, env, log, s->its);
	io_close(&s->its);
	return s->pid;
}

/* list(handle, its pid or -errno, why) */
SEXP C_detach_start(SEXP program, SEXP environment, SEXP log)
{
	SEXP all = PROTECT(Rf_allocVector(VECSXP, 3));
	SEXP handle = R_MakeExternalPtr(NULL, R_NilValue, R_NilValue);
	SET_VECTOR_ELT(all, 0, handle);
	R_RegisterCFinalizerEx(handle, finalize, FALSE);
	char **argv = r_c_strings(program);
	char **env = r_c_strings(environment);
	struct started *s = calloc(1, sizeof(*s));
	pid_t pid = -ENOMEM;
	if (s) {
		s->owner = proc_self();
		s->fd = s->its = -1;
		buf_init(&s->got, SIZE_MAX / 2);
		R_SetExternalPtrAddr(handle, s);
		pid = start(s, argv, env, R_ExpandFileName(r_string(log)));
	}
	SET_VECTOR_ELT(all, 1, Rf_ScalarInteger((int)pid));
	SET_VECTOR_ELT(all, 2, Rf_mkString(pid < 0 ? strerror(-pid) : ""));
	UNPROTECT(1);
	return all;
}

/* All of its report, until it closes: false as long as there may be more. */
static bool hear(struct started *s)
{
	unsigned char bytes[PIECE];
	ssize_t n;
	while ((n = io_recv(s->fd, bytes, sizeof(bytes))) > 0)
		if (buf_append(&s->got, bytes, (size_t)n) < 0)
			return true;
	return n != -EAGAIN;
}

struct telling {
	struct started *s;
	const unsigned char *from;
	size_t left;
	uint64_t deadline;
	bool told;
};

/* As much as it takes now. */
static void tell_more(struct telling *t)
{
	int fd = t->s->fd;
	ssize_t n = t->left ? io_send(fd, t->from, t->left) : 0;
	if (n > 0) {
		t->from += n;
		t->left -= (size_t)n;
	}
	if (!t->told && (t->left == 0 || (n < 0 && n != -EAGAIN))) {
		t->told = true; /* or nobody listens: its report says why */
		t->left = 0;
		(void)shutdown(fd, SHUT_WR);
	}
}

static SEXP tell(void *of)
{
	struct telling *t = of;
	struct started *s = t->s;
	for (;;) {
		tell_more(t);
		if (hear(s))
			break;
		int ms = clock_until(t->deadline, SLICE);
		if (ms == 0)
			return R_NilValue;
		(void)io_wait(s->fd, t->left ? POLLIN | POLLOUT : POLLIN, ms);
		R_CheckUserInterrupt();
	}
	size_t size = s->got.len;
	SEXP report = Rf_allocVector(RAWSXP, (R_xlen_t)size);
	if (size > 0)
		memcpy(RAW(report), s->got.bytes, size);
	s->heard = true;
	return report;
}

/* Whoever has given up closes the socket at once: a report that finds nobody
 * ends the supervisor. One that has reported just before believes that it was
 * heard. */
static void end_telling(void *of)
{
	struct started *s = ((const struct telling *)of)->s;
	if (!s->heard) {
		(void)shutdown(s->fd, SHUT_RD);
		(void)hear(s);
		if (s->got.len > 0 && s->pid > 0)
			proc_kill(s->pid, false);
	}
	release(s);
}

/* Tells it `bytes`, and waits for its report: raw, empty if it has died; NULL
 * if that took longer. However that ends, it has no socket here any more, and
 * does no work where nobody has its report. */
SEXP C_detach_tell(SEXP handle, SEXP bytes, SEXP seconds)
{
	struct started *s = (struct started *)R_ExternalPtrAddr(handle);
	if (!s || s->owner != proc_self() || s->fd < 0)
		Rf_error("that supervisor is not ours");
	struct telling t = {.s = s,
			    .from = RAW(bytes),
			    .left = (size_t)Rf_xlength(bytes),
			    .deadline = clock_now() +
					clock_seconds(Rf_asReal(seconds))};
	return R_ExecWithCleanup(tell, &t, end_telling, &t);
}

/* In a supervisor, once: has its starter heard it? Its input is empty then. */
SEXP C_detach_report(SEXP bytes)
{
	const unsigned char *from = RAW(bytes);
	size_t left = (size_t)Rf_xlength(bytes);
	uint64_t deadline = clock_now() + (uint64_t)REPORT_MS * 1000000u;
	while (left > 0) {
		ssize_t n = io_send(STDIN_FILENO, from, left);
		if (n < 0 && (n != -EAGAIN || clock_now() > deadline))
			break;
		if (n > 0) {
			from += n;
			left -= (size_t)n;
		} else {
			(void)io_wait(STDIN_FILENO, POLLOUT, SLICE);
		}
	}
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		left = 1; /* its starter would wait for the end */
	io_close(&null);
	return Rf_ScalarLogical(left == 0);
}

/* Would the undertaker of a pool bury it? */
SEXP C_detach_refused(void)
{
	return Rf_ScalarLogical(r_node_is());
}
