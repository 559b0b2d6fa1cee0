/*
 * What ends a call that waits. No lock can be waited for with a time limit, so
 * a signal it is. It comes again each second: the first one may come just
 * before the call begins.
 */
#include "timer.h"

#include <stddef.h>

#include "clock.h"

static const long million = 1000000;
static const uint64_t microsecond = 1000;

static void ring(int signal)
{
	(void)signal;
}

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * (uint64_t)million + (uint64_t)t.tv_usec;
}

static struct timeval moment(uint64_t us)
{
	return (struct timeval){.tv_sec = (time_t)(us / (uint64_t)million),
				.tv_usec =
					(suseconds_t)(us % (uint64_t)million)};
}

void timer_set(struct timer *t, unsigned seconds)
{
	struct sigaction action = {.sa_handler = ring};
	struct itimerval timer = {.it_value = {.tv_sec = (time_t)seconds},
				  .it_interval = {.tv_sec = 1}};
	(void)sigemptyset(&action.sa_mask);
	*t = (struct timer){.seconds = seconds, .begun = clock_now()};
	(void)getitimer(ITIMER_REAL, &t->before);
	uint64_t other = microseconds(t->before.it_value);
	if (other > 0 && other < microseconds(timer.it_value))
		timer.it_value = t->before.it_value;
	(void)sigaction(SIGALRM, &action, &t->action);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

bool timer_end(const struct timer *t)
{
	static const struct itimerval none;
	struct sigaction ignored = {.sa_handler = SIG_IGN};
	uint64_t passed = (clock_now() - t->begun) / microsecond;
	(void)sigemptyset(&ignored.sa_mask);
	(void)setitimer(ITIMER_REAL, &none, NULL);
	/* One that has rung and was not heard is dropped. */
	(void)sigaction(SIGALRM, &ignored, NULL);
	(void)sigaction(SIGALRM, &t->action, NULL);
	uint64_t other = microseconds(t->before.it_value);
	if (other > 0) {
		struct itimerval timer = t->before;
		timer.it_value = moment(other > passed ? other - passed : 1);
		(void)setitimer(ITIMER_REAL, &timer, NULL);
	}
	return passed >= (uint64_t)t->seconds * (uint64_t)million;
}
