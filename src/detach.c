/*
 * Three forks: ours is waited for here, so nobody's child is left behind; the
 * second one begins a session, the third is not its leader, and so can get no
 * terminal. The program's pid, and why it could not be executed, come over a
 * socket that its execution closes.
 */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "proc.h"

/* The program's descriptors, and above them where news goes until it runs. */
enum { NEWS = 3, ABOVE = 10 };

struct news {
	pid_t pid;
	int error;
};

static _Noreturn void fail(int fd, int error)
{
	struct news news = {.error = error};
	(void)io_send(fd, &news, sizeof(news));
	proc_leave(127);
}

static int default_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &dfl, NULL); /* two refuse, fine */
	return sigemptyset(&none) < 0 ? -errno : proc_unblock(&none);
}

/* Numbers 0 to 2 and NEWS may be any of these; *news works also after that has
 * failed. */
static int settle(int in, int log, int *news)
{
	int to = fcntl(*news, F_DUPFD, ABOVE);
	if (to < 0)
		return -errno;
	*news = to;
	in = fcntl(in, F_DUPFD, ABOVE);
	log = fcntl(log, F_DUPFD, ABOVE);
	if (in < 0 || log < 0 || dup2(in, 0) < 0 || dup2(log, 1) < 0 ||
	    dup2(log, 2) < 0 || dup2(to, NEWS) < 0)
		return -errno;
	*news = NEWS;
	proc_close_from(NEWS + 1);
	return fcntl(NEWS, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static _Noreturn void execute(char *const argv[], char *const env[], int news)
{
	struct news here = {.pid = getpid()};
	int rc = default_signals();
	if (rc < 0)
		fail(news, -rc);
	if (io_send(news, &here, sizeof(here)) != sizeof(here))
		proc_leave(127); /* nobody is there any more */
	(void)execve(argv[0], argv, env);
	fail(news, errno);
}

static _Noreturn void lead(char *const argv[], char *const env[], int news)
{
	pid_t pid = setsid() < 0 ? -1 : fork();
	if (pid == 0)
		execute(argv, env, news);
	if (pid < 0)
		fail(news, errno);
	proc_leave(0);
}

static _Noreturn void begin(char *const argv[], char *const env[], int in,
			    int log, int news)
{
	int rc = settle(in, log, &news);
	if (rc < 0)
		fail(news, -rc);
	pid_t pid = fork();
	if (pid == 0)
		lead(argv, env, news);
	if (pid < 0)
		fail(news, errno);
	proc_leave(0);
}

/* What the child has been told, until its end of the socket closes. */
static pid_t hear(int fd)
{
	struct news news;
	pid_t pid = 0;
	int error = 0;
	for (;;) {
		ssize_t n = io_recv(fd, &news, sizeof(news));
		if (n == -EAGAIN) {
			(void)io_wait(fd, POLLIN, -1);
			continue;
		}
		if (n != (ssize_t)sizeof(news))
			break; /* these are small: whole, or the end */
		pid = news.pid > 0 ? news.pid : pid;
		error = news.error;
	}
	if (error == 0 && pid == 0)
		return -ECHILD; /* it was killed on the way */
	return error ? -error : pid;
}

static void reap(pid_t pid)
{
	int rc;
	do
		rc = waitpid(pid, NULL, 0) < 0 ? errno : 0;
	while (rc == EINTR);
}

pid_t detach_start(char *const argv[], char *const env[], const char *log,
		   int fd)
{
	int news[2];
	sigset_t mask;
	int to = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY,
		      S_IRUSR | S_IWUSR);
	if (to < 0)
		return -errno;
	int rc = io_pair(news);
	if (rc < 0) {
		io_close(&to);
		return rc;
	}
	pid_t pid = proc_fork(&mask);
	if (pid == 0)
		begin(argv, env, fd, to, news[1]);
	io_close(&news[1]);
	io_close(&to);
	pid_t found = pid < 0 ? pid : hear(news[0]);
	io_close(&news[0]);
	if (pid > 0)
		reap(pid);
	return found;
}
