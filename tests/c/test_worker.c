/* The whole table of a worker's states and events, and who may be given work.
 */
#include "worker.h"

#include <fcntl.h>

#include "io.h"
#include "test.h"

/* Every step that there is; what is not listed must be refused. */
static const struct {
	enum worker_state from;
	enum worker_event event;
	enum worker_state to;
} steps[] = {
	{WORKER_NONE, WORKER_ASKED, WORKER_STARTING},
	{WORKER_STARTING, WORKER_STARTED, WORKER_SETUP},
	{WORKER_STARTING, WORKER_FAILED, WORKER_NONE},
	{WORKER_STARTING, WORKER_DIED, WORKER_GONE},
	{WORKER_SETUP, WORKER_READY, WORKER_IDLE},
	{WORKER_SETUP, WORKER_DIED, WORKER_GONE},
	{WORKER_IDLE, WORKER_CLAIMED, WORKER_BUSY},
	{WORKER_IDLE, WORKER_DIED, WORKER_GONE},
	{WORKER_BUSY, WORKER_DONE, WORKER_IDLE},
	{WORKER_BUSY, WORKER_DIED, WORKER_GONE},
	{WORKER_GONE, WORKER_ASKED, WORKER_STARTING},
};

static void table(void)
{
	size_t n = sizeof(steps) / sizeof(*steps), found = 0;
	for (int state = 0; state < WORKER_STATES; state++)
		for (int event = 0; event < WORKER_EVENTS; event++) {
			struct worker w;
			worker_init(&w);
			w.state = (enum worker_state)state;
			int next = -1;
			for (size_t i = 0; i < n; i++)
				if ((int)steps[i].from == state &&
				    (int)steps[i].event == event)
					next = (int)steps[i].to;
			int rc = worker_step(&w, (enum worker_event)event);
			CHECK(rc == (next < 0 ? -EINVAL : 0));
			CHECK((int)w.state == (next < 0 ? state : next));
			found += next >= 0;
		}
	CHECK(found == n);
}

static void free_ones(void)
{
	for (int state = 0; state < WORKER_STATES; state++)
		for (int told = 0; told < 4; told++) {
			struct worker w;
			worker_init(&w);
			w.state = (enum worker_state)state;
			w.eof = told & 1;
			w.died = told & 2;
			CHECK(worker_free(&w) ==
			      (state == WORKER_IDLE && told == 0));
		}
}

static void owns_its_channel(void)
{
	struct worker w;
	worker_init(&w);
	CHECK(w.state == WORKER_NONE && w.chan.link.fd == -1 && w.id == 0);
	worker_release(&w); /* of nothing */
	int end[2];
	CHECK(io_pair(end) == 0);
	chan_init(&w.chan, end[0]);
	struct wire_head h = {.kind = WIRE_CALL};
	CHECK(chan_say(&w.chan, &h) == 0);
	w.state = WORKER_BUSY;
	w.id = 7;
	w.count = 3;
	worker_release(&w);
	CHECK(fcntl(end[0], F_GETFD) < 0);
	char c;
	CHECK(io_recv(end[1], &c, 1) == -EPIPE);
	CHECK(w.state == WORKER_NONE && w.chan.link.fd == -1);
	CHECK(w.id == 0 && w.count == 0);
	io_close(&end[1]);
}

int main(void)
{
	table();
	free_ones();
	owns_its_channel();
	return 0;
}
