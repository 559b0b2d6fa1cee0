/* Do the workers at work keep the cores busy? */
#include "load.h"

#include "clock.h"
#include "proc.h"

static const uint64_t FIRST_NS = 3000000; /* before that nobody can know */
static const uint64_t LOOK_NS = 2000000;  /* between two looks, at least */
enum { LOOKS = 8 }; /* while the time since doubles, or so */
static const uint64_t MOST_NS = 1000000000;
/* Of the cores' time. Session and workers wait for one another now and then,
 * and there are other processes; those that sleep take none of it. */
static const double BUSY = 0.4;
static const double FULL = 0.7; /* of one core's time, the session's own */

void load_begin(struct load *l)
{
	*l = (struct load){.began = clock_now()};
}

/* Processor time of the session alone, and with its workers; 0 where it can't
 * be told. */
static uint64_t used_by_all(const struct pool *p, uint64_t *session)
{
	uint64_t all = 0, one;
	if (proc_used(p->owner, &all) < 0)
		all = 0;
	*session = all;
	for (size_t i = 0; i < p->n; i++)
		if (p->workers[i].pid > 0 &&
		    proc_used(p->workers[i].pid, &one) == 0)
			all += one;
	return all;
}

/* Since the last look. A worker that was replaced has used less. A session that
 * has its hands full with results keeps workers waiting: more of them would
 * wait with the others. */
static bool is_busy(const struct load *l, const struct pool *p, uint64_t now,
		    uint64_t used, uint64_t session)
{
	double time = (double)(now - l->looked);
	double all = (double)used - (double)l->used;
	return all >= BUSY * time * (double)p->cores ||
	       (double)(session - l->session) >= FULL * time;
}

static uint64_t next_look(const struct load *l)
{
	uint64_t rest = (l->looked - l->began) / LOOKS;
	return l->looked + (rest > LOOK_NS ? rest : LOOK_NS);
}

int load_wait(const struct load *l, int most)
{
	return clock_until(next_look(l), most);
}

bool load_is_full(struct load *l, const struct pool *p)
{
	if (l->spare || pool_count(p, WORKER_BUSY) < p->cores)
		return false;
	uint64_t now = clock_now();
	if (l->looked == 0) {
		l->used = used_by_all(p, &l->session);
		l->looked = now;
		return true;
	}
	if (now < next_look(l) || now - l->began < FIRST_NS)
		return true;
	uint64_t session, used = used_by_all(p, &session);
	l->spare =
		now - l->began > MOST_NS || !is_busy(l, p, now, used, session);
	l->looked = now;
	l->used = used;
	l->session = session;
	return !l->spare;
}
