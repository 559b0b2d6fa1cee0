/* What ends a call that waits, and leaves timers and handlers as they were. */
#include "timer.h"

#include "test.h"

static volatile sig_atomic_t heard;

static void hear(int signal)
{
	(void)signal;
	heard++;
}

/* Waits, with SIGALRM let through: did a signal end it? */
static int wait_some(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds,
			     .tv_nsec =
				     (long)((seconds - (time_t)seconds) * 1e9)};
	sigset_t blocked, through;
	CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0);
	through = blocked;
	(void)sigdelset(&through, SIGALRM);
	CHECK(sigprocmask(SIG_SETMASK, &through, NULL) == 0);
	int rc = nanosleep(&t, NULL);
	CHECK(sigprocmask(SIG_SETMASK, &blocked, NULL) == 0);
	return rc < 0 ? -errno : 0;
}

static double timer_left(void)
{
	struct itimerval t;
	CHECK(getitimer(ITIMER_REAL, &t) == 0);
	return (double)t.it_value.tv_sec + 1e-6 * (double)t.it_value.tv_usec;
}

static void test_rings(void)
{
	struct timer b;
	double begin = test_now();
	timer_set(&b, 1);
	CHECK(wait_some(30) == -EINTR);
	CHECK(timer_end(&b));
	CHECK(test_now() - begin >= 1 && test_now() - begin < 10);
	CHECK(heard == 0 && timer_left() == 0);
	/* Not waited for: the one that has rung is not heard afterwards. */
	timer_set(&b, 1);
	test_sleep(1.2);
	CHECK(timer_end(&b));
	CHECK(wait_some(0.05) == 0 && heard == 0);
	/* Over before. */
	timer_set(&b, 20);
	CHECK(wait_some(0.05) == 0);
	CHECK(!timer_end(&b) && timer_left() == 0);
}

/* A call that begins just after the timer has rung ends a second later. */
static void test_again(void)
{
	struct timer b;
	timer_set(&b, 1);
	CHECK(wait_some(30) == -EINTR);
	CHECK(wait_some(30) == -EINTR);
	CHECK(timer_end(&b));
}

static void test_timer(void)
{
	struct timer b;
	struct itimerval later = {.it_value = {.tv_sec = 50},
				  .it_interval = {.tv_sec = 7}},
			 soon = {.it_value = {.tv_usec = 100000}}, now;
	/* One that ends later goes on. */
	CHECK(setitimer(ITIMER_REAL, &later, NULL) == 0);
	timer_set(&b, 1);
	CHECK(wait_some(30) == -EINTR);
	CHECK(timer_end(&b));
	CHECK(getitimer(ITIMER_REAL, &now) == 0);
	CHECK(now.it_interval.tv_sec == 7);
	CHECK(timer_left() < 49.5 && timer_left() > 30);
	/* One that ends before is its owner's. */
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	timer_set(&b, 20);
	CHECK(wait_some(30) == -EINTR);
	CHECK(heard == 0 && !timer_end(&b));
	(void)wait_some(0.05); /* heard before it begins, or in it */
	CHECK(heard == 1);
}

int main(void)
{
	sigset_t alarms;
	struct sigaction action = {.sa_handler = hear}, after;
	(void)sigemptyset(&alarms);
	(void)sigaddset(&alarms, SIGALRM);
	CHECK(sigprocmask(SIG_BLOCK, &alarms, NULL) == 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	test_rings();
	test_again();
	test_timer();
	CHECK(sigaction(SIGALRM, NULL, &after) == 0);
	CHECK(after.sa_handler == hear);
	return 0;
}
