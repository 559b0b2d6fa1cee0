/* Processes: fork with the signals held, who watches whom, and burial. */
#ifndef POOL_PROC_H
#define POOL_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * fork(), with all signals blocked across it. The child (return 0) leads a
 * process group of its own and has the default action for the signals that R
 * catches to save or clean up its session; call proc_unblock() in it with
 * `mask` when it is ready for signals. In the parent the mask is restored.
 * Returns a pid, 0, or -errno.
 */
pid_t proc_fork(sigset_t *mask);
int proc_unblock(const sigset_t *mask);

/*
 * fork() and exec() of argv[0] with environment `env`; in the child, descriptor
 * `pass` becomes number PROC_PASSED, 0 to 2 go where io_redirect() puts them,
 * all others are closed. Only async-signal-safe calls are made in between.
 */
enum { PROC_PASSED = 3 };
pid_t proc_exec(char *const argv[], char *const env[], int pass,
		const char *output);

/* Closes all descriptors from that number on. */
void proc_close_from(int first);

/* getpid(), without asking the system each time. */
pid_t proc_self(void);

/* In a child: be killed when `parent` is; -ESRCH if it is gone already. */
int proc_die_with(pid_t parent);

/* Orphans of our children fall to us. */
int proc_adopt_orphans(void);

/* A descriptor that is readable once the process is gone, or -errno. */
int proc_watch(pid_t pid);

/* A descriptor that is readable when a child has left, or -errno (-ENOSYS
 * where there is no such thing). SIGCHLD is blocked from then on. */
int proc_watch_children(sigset_t *before);
void proc_drain(int fd);

/* Waits for that child alone: 1 and its status; 0: still running; it is also
 * gone (1, status -1) where somebody else has waited for it. */
int proc_reap(pid_t pid, int *status);

/* SIGKILL to a child; to its process group too: what it has started. */
void proc_kill(pid_t pid, bool group);

/* SIGINT to a child and its process group. To the child it comes with a number,
 * for what is to be interrupted: see proc_interrupted(). -ENOSYS where signals
 * carry none. */
int proc_interrupt(pid_t pid, int number);

/* In the child, what a SIGINT is about: the number; 0 where it came from
 * somebody else; -1: nothing, as it is the one to the group. */
int proc_interrupted(const siginfo_t *info);

/* SIGKILL to every child, and to what falls to us, until none is left. */
void proc_bury_all(void);

/* Leaves at once: nothing of the process runs any more, no exit handler, no
 * finalizer, no flush. */
_Noreturn void proc_leave(int status);

/* How many cores this process may run on. */
size_t proc_cores(void);

/* Processor time of a process, in nanoseconds: 0 or -errno (-ENOSYS where it
 * cannot be told). */
int proc_used(pid_t pid, uint64_t *ns);

/* Numeric libraries that are loaded use one thread from here on. */
void proc_one_thread(void);

#endif
