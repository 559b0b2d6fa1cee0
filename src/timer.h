/*
 * A timer: what ends a call that waits, after some seconds, by -EINTR. There is
 * one at a time in a process, and while it is set the process's real-time timer
 * (setitimer(), alarm()) and the handler of SIGALRM are its own.
 */
#ifndef POOL_TIMER_H
#define POOL_TIMER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

struct timer {
	unsigned seconds;
	uint64_t begun;
	struct sigaction action; /* as they were */
	struct itimerval before;
};

/* Rings after so many seconds, and each second from then on. Where somebody's
 * timer ends before that, it rings then, too. SIGALRM must be blocked; it is to
 * be let through while one waits. */
void timer_set(struct timer *t, unsigned seconds);

/* Puts back what was there before; a timer that has ended meanwhile ends now.
 * SIGALRM must be blocked. Are the seconds over? */
bool timer_end(const struct timer *t);

#endif
