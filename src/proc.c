/*
 * Processes.
 *
 * There is no SIGCHLD handler anywhere: the session waits only for its own
 * template, by pid; the template reads SIGCHLD from a signalfd.
 */
#include "proc.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#endif

/* R's handlers for these save the workspace, or remove the temporary directory,
 * which in a child is its parent's. */
static const int not_inherited[] = {SIGHUP,  SIGTERM, SIGUSR1, SIGUSR2,
				    SIGSEGV, SIGBUS,  SIGILL,  SIGCHLD};

static int default_actions(void)
{
	struct sigaction dfl;
	memset(&dfl, 0, sizeof(dfl));
	dfl.sa_handler = SIG_DFL;
	for (size_t i = 0; i < sizeof(not_inherited) / sizeof(int); i++)
		if (sigaction(not_inherited[i], &dfl, NULL) < 0)
			return -errno;
	return 0;
}

/* EAGAIN is a shortage that often passes: up to 63 ms are waited for that. */
static pid_t fork_patiently(void)
{
	pid_t pid = fork();
	for (long ms = 1; pid < 0 && errno == EAGAIN && ms <= 32; ms *= 2) {
		struct timespec t = {.tv_nsec = ms * 1000000};
		(void)nanosleep(&t, NULL);
		pid = fork();
	}
	return pid;
}

pid_t proc_fork(sigset_t *mask)
{
	sigset_t all;
	if (sigfillset(&all) < 0 || sigprocmask(SIG_SETMASK, &all, mask) < 0)
		return -errno;
	pid_t pid = fork_patiently();
	int error = errno;
	if (pid == 0) {
		if (default_actions() < 0 || setpgid(0, 0) < 0)
			proc_leave(127);
		return 0;
	}
	if (sigprocmask(SIG_SETMASK, mask, NULL) < 0 && pid > 0)
		error = errno; /* cannot happen: the mask came from the kernel
				*/
	return pid < 0 ? -error : pid;
}

int proc_unblock(const sigset_t *mask)
{
	return sigprocmask(SIG_SETMASK, mask, NULL) < 0 ? -errno : 0;
}

void proc_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	long most = sysconf(_SC_OPEN_MAX);
	for (long fd = first; fd < (most > 0 ? most : 1024); fd++)
		(void)close((int)fd); /* most are not open */
}

pid_t proc_exec(char *const argv[], char *const env[], int pass,
		const char *output)
{
	sigset_t mask;
	pid_t pid = proc_fork(&mask);
	if (pid != 0)
		return pid;
	if (io_redirect(output) < 0)
		proc_leave(126);
	/* dup2() onto itself would leave close-on-exec set. */
	int fd = pass == PROC_PASSED ? dup(pass) : pass;
	if (fd < 0 || dup2(fd, PROC_PASSED) < 0)
		proc_leave(126);
	proc_close_from(PROC_PASSED + 1);
	if (proc_unblock(&mask) == 0)
		(void)execve(argv[0], argv, env);
	proc_leave(127);
}

int proc_die_with(pid_t parent)
{
#ifdef __linux__
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
#endif
	return getppid() == parent ? 0 : -ESRCH;
}

int proc_adopt_orphans(void)
{
#ifdef PR_SET_CHILD_SUBREAPER
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
#else
	return 0;
#endif
}

int proc_watch(pid_t pid)
{
#ifdef SYS_pidfd_open
	long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
	return fd < 0 ? -errno : (int)fd;
#else
	(void)pid;
	return -ENOSYS;
#endif
}

int proc_watch_children(sigset_t *before)
{
	sigset_t chld;
	if (sigemptyset(&chld) < 0 || sigaddset(&chld, SIGCHLD) < 0 ||
	    sigprocmask(SIG_BLOCK, &chld, before) < 0)
		return -errno;
#ifdef __linux__
	int fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
#else
	return -ENOSYS;
#endif
}

void proc_drain(int fd)
{
	unsigned char bytes[1024];
	ssize_t n;
	do
		n = read(fd, bytes, sizeof(bytes));
	while (n > 0 || (n < 0 && errno == EINTR));
}

int proc_reap(pid_t pid, int *status)
{
	pid_t got;
	*status = -1;
	do
		got = waitpid(pid, status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		*status = -1;
	return got != 0;
}

/* Calls kill() for every process whose parent we are; how many there were. */
static int kill_children(void)
{
	int n = 0;
#ifdef __linux__
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
		       (long)getpid());
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	char word[32];
	while (fscanf(f, "%31s", word) == 1) {
		/* Gone already: fine. */
		(void)kill((pid_t)strtol(word, NULL, 10), SIGKILL);
		n++;
	}
	(void)fclose(f);
#endif
	return n;
}

void proc_kill(pid_t pid, bool group)
{
	(void)kill(pid, SIGKILL);
	if (group)
		(void)kill(-pid, SIGKILL);
}

int proc_interrupt(pid_t pid, int number)
{
#ifdef __linux__
	union sigval value = {.sival_int = number};
	/* The first of two that are pending stays. */
	if (sigqueue(pid, SIGINT, value) < 0)
		return -errno;
	return kill(-pid, SIGINT) < 0 ? -errno : 0;
#else
	(void)pid;
	(void)number;
	return -ENOSYS;
#endif
}

int proc_interrupted(const siginfo_t *info)
{
	if (info->si_pid != getppid())
		return 0;
	return info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

void proc_bury_all(void)
{
	for (;;) {
		int killed = kill_children();
		/* A child is waited for, and what else has ended (there may be
		 * thousands), then the list is read again: what they leave
		 * behind has become ours by then. */
		pid_t pid = waitpid(-1, NULL, killed > 0 ? 0 : WNOHANG);
		if (pid == 0)
			return;
		while (pid > 0)
			pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno != EINTR)
			return;
	}
}

_Noreturn void proc_leave(int status)
{
#ifdef SYS_exit_group
	(void)syscall(SYS_exit_group, status & 0xff);
#else
	(void)status;
#endif
	for (;;)
		(void)kill(getpid(), SIGKILL);
}

static pid_t self; /* 0: not known */

static void forget_self(void)
{
	self = 0;
}

pid_t proc_self(void)
{
	static bool forgets; /* in every child from now on */
	if (!forgets && pthread_atfork(NULL, NULL, forget_self) != 0)
		return getpid();
	forgets = true;
	if (self == 0)
		self = getpid();
	return self;
}

size_t proc_cores(void)
{
#ifdef __linux__
	cpu_set_t set; /* too small for some machines: EINVAL */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (size_t)CPU_COUNT(&set);
#endif
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (size_t)n : 1;
}

int proc_used(pid_t pid, uint64_t *ns)
{
#ifdef __linux__
	clockid_t clock;
	struct timespec t;
	int rc = clock_getcpuclockid(pid, &clock);
	if (rc != 0)
		return -rc;
	if (clock_gettime(clock, &t) < 0)
		return -errno;
	*ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return 0;
#else
	(void)pid;
	(void)ns;
	return -ENOSYS;
#endif
}

static void set_threads(const char *function)
{
	union {
		void *address;
		void (*call)(int);
	} f = {.address = dlsym(RTLD_DEFAULT, function)};
	if (f.address)
		f.call(1);
}

void proc_one_thread(void)
{
	static const char *const functions[] = {
		"omp_set_num_threads", "openblas_set_num_threads",
		"MKL_Set_Num_Threads", "bli_thread_set_num_threads"};
	static const char *const variables[] = {
		"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
		"VECLIB_MAXIMUM_THREADS", "RCPP_PARALLEL_NUM_THREADS"};
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		set_threads(functions[i]);
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		(void)setenv(variables[i], "1", 1); /* no memory: not needed */
}
