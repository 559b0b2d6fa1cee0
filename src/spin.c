/* Staying awake: a moving average of the waits, by halves. */
#include "spin.h"

#include <errno.h>

#include "clock.h"

/* A single long wait makes up for all the short ones before it, but not for
 * the next three. */
static const uint64_t LONGEST = 4 * SPIN_MOST;

/* However much there is to do: so often are descriptors looked at, in
 * nanoseconds. */
static const uint64_t ASK_EVERY = 1000000;

enum { LOOKS = 500 }; /* between two questions, some microseconds */

/* Lets the other half of a processor work. */
static void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void spin_init(struct spin *s)
{
	*s = (struct spin){.expected = LONGEST};
}

static void learn(struct spin *s, uint64_t waited)
{
	s->expected = (s->expected + (waited < LONGEST ? waited : LONGEST)) / 2;
}

/* Whether it was worth to stay awake. In vain it costs many times what it saves
 * otherwise. */
static void judge(struct spin *s, bool in_vain)
{
	enum { LEAST = 4, MOST = 512 };
	if (!in_vain) {
		s->wary -= s->wary > 0;
		return;
	}
	s->wary = s->wary < LEAST ? LEAST : 2 * s->wary;
	if (s->wary > MOST)
		s->wary = MOST;
	s->asleep = s->wary;
}

static bool ready(const struct spin_look *look)
{
	return look && look->ready(look->of);
}

static int ask(struct spin *s, struct pollfd *fds, nfds_t n, int ms)
{
	int found = poll(fds, n, ms);
	s->polled = clock_now();
	return found < 0 ? -errno : found;
}

/* Looks for a while, which costs nothing but time, then asks the system once.
 */
static int look_around(struct spin *s, struct pollfd *fds, nfds_t n,
		       const struct spin_look *look)
{
	for (int i = 0; look && i < LOOKS; i++) {
		if (look->ready(look->of))
			return 0;
		spin_pause();
	}
	return ask(s, fds, n, 0);
}

static int sleep_on(struct spin *s, struct pollfd *fds, nfds_t n, int ms,
		    const struct spin_look *look)
{
	if (look)
		look->sleeps(look->of, true);
	int found = ask(s, fds, n, ready(look) ? 0 : ms);
	if (look)
		look->sleeps(look->of, false);
	return found;
}

int spin_poll(struct spin *s, struct pollfd *fds, nfds_t n, int ms, bool may,
	      const struct spin_look *look)
{
	uint64_t begin = clock_now();
	bool stay = may && s->expected <= SPIN_MOST && s->asleep == 0;
	uint64_t awake = stay ? SPIN_MOST : 0;
	bool asked = look && begin - s->polled < ASK_EVERY;
	for (nfds_t i = 0; asked && i < n; i++)
		fds[i].revents = 0;
	int found = asked ? 0 : ask(s, fds, n, 0);
	if (ms == 0 || found != 0 || ready(look))
		return found; /* nothing was waited for */
	for (uint64_t t = begin;
	     found == 0 && !ready(look) && t - begin < awake; t = clock_now())
		found = look_around(s, fds, n, look);
	s->asleep -= s->asleep > 0;
	if (stay)
		judge(s, found == 0 && !ready(look));
	if (found == 0 && !ready(look))
		found = sleep_on(s, fds, n, ms, look);
	learn(s, clock_now() - begin);
	return found;
}
