/*
 * The template, all of it, with a hostile session: its forks give numbers, its
 * children die at any time, and where it leaves its process the input ends.
 */
#include "chan_read.h"
#include "template.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "world.h"

enum { FIRST_PID = 1 << 28, MOST_CHILDREN = 512, NAMES = 4096 };

static const char base[] = "/made/up";

static struct session {
	struct rng *rng;
	unsigned char *script;
	size_t n;
	int control;
	enum { NEVER, RUNS, DEAD, BURIED } children[MOST_CHILDREN];
	size_t n_children;
	bool silent;
} s;

static char (*names)[TMPDIR_NAME];

static pid_t on_fork(void)
{
	if (s.n_children == MOST_CHILDREN || rng_one_in(s.rng, 16))
		return -EAGAIN;
	s.children[s.n_children] = RUNS;
	return (pid_t)(FIRST_PID + s.n_children++);
}

static size_t child_of(pid_t pid)
{
	REQUIRE(pid >= FIRST_PID && (size_t)(pid - FIRST_PID) < s.n_children);
	return (size_t)(pid - FIRST_PID);
}

/* A pid that has been waited for may be somebody else's. */
static void on_kill(pid_t pid, int signal)
{
	REQUIRE(pid > 0 || pid < -1);
	size_t i = child_of(pid > 0 ? pid : -pid);
	REQUIRE(s.children[i] != BURIED);
	if (pid > 0 && signal == SIGKILL)
		s.children[i] = DEAD;
}

static pid_t on_wait(pid_t pid, bool hangs)
{
	if (pid > 0) {
		size_t i = child_of(pid);
		REQUIRE(s.children[i] == DEAD || !hangs);
		s.children[i] = BURIED;
		return pid;
	}
	for (size_t i = 0; i < s.n_children; i++)
		if (s.children[i] == DEAD) {
			s.children[i] = BURIED;
			return (pid_t)(FIRST_PID + i);
		}
	/* An orphan; nobody. */
	return rng_one_in(s.rng, 16) ? FIRST_PID + MOST_CHILDREN
	       : s.n_children > 0    ? 0
				     : -1;
}

/* Whatever the children write, nothing outside is removed. */
static void on_remove(const char *path)
{
	size_t n = sizeof(base) - 1;
	REQUIRE(strncmp(path, base, n) == 0);
	if (path[n] == '\0')
		return;
	REQUIRE(path[n] == '/' && path[n + 1] != '\0' && path[n + 1] != '.');
	REQUIRE(!strchr(path + n + 1, '/'));
	REQUIRE(strlen(path + n + 1) < TMPDIR_NAME);
}

static void write_name(char name[TMPDIR_NAME])
{
	static const char *const some[] = {"",	 ".",	"..",  "../x",
					   "a/", "abc", "/etc"};
	if (rng_one_in(s.rng, 2)) {
		memset(name, 'a' + (int)rng_below(s.rng, 20), TMPDIR_NAME);
		if (rng_one_in(s.rng, 2))
			name[rng_below(s.rng, TMPDIR_NAME)] =
				(char)frames_number(s.rng);
		return;
	}
	const char *from = some[rng_below(s.rng, sizeof(some) / sizeof(*some))];
	memcpy(name, from, strlen(from) + 1);
}

static bool act(void *of)
{
	(void)of;
	struct thing *t = world_thing(s.control);
	if (world.session > 0 && rng_one_in(s.rng, 100))
		world_thing(world.session)->wakes = 1;
	if (world.children > 0 && rng_one_in(s.rng, 4))
		world_thing(world.children)->wakes = 1;
	if (s.n_children > 0 && rng_one_in(s.rng, 3)) {
		size_t i = rng_below(s.rng, s.n_children);
		write_name(names[rng_below(s.rng, s.n_children)]);
		if (s.children[i] == RUNS)
			s.children[i] = DEAD;
		return true;
	}
	if (rng_one_in(s.rng, 4))
		t->room = SIZE_MAX;
	if (world_deliver(t))
		return true;
	t->ended = true;
	return false;
}

/* As state() of r_template.c; an error of R's leaves the payload where it is.
 */
static int take_state(struct chan *control)
{
	static const size_t sizes[] = {1, 4, 8, 30, 70000};
	int rc = 0;
	for (size_t i = rng_below(s.rng, 10); rc == 0 && i > 0; i--) {
		size_t n =
			sizes[rng_below(s.rng, sizeof(sizes) / sizeof(*sizes))];
		size_t got = 0;
		unsigned char *to = malloc(n);
		if (!to)
			return EINVAL;
		while ((rc = chan_pull(control, to, n, &got)) == -EAGAIN)
			;
		REQUIRE(rc != 0 || got == n);
		free(to);
	}
	while (rc == 0 && (rc = chan_finish(control)) == -EAGAIN)
		rc = 0;
	return rc == 0 ? 0 : EINVAL;
}

static void work(int fd, const char *path, char name[TMPDIR_NAME])
{
	(void)fd, (void)path, (void)name;
	finding(__FILE__, __LINE__, "a worker where nothing was forked");
}

static void play(void)
{
	static const struct template_ops ops = {take_state, work};
	static jmp_buf leaves;
	struct template_options options = {
		.control = s.control, .session = FIRST_PID, .base = base};
	if (rng_one_in(s.rng, 64))
		options.error = EINVAL;
	if (setjmp(leaves) == 0) {
		world.leaves = &leaves;
		template_run(&options, &ops);
	}
}

static void run(const unsigned char *bytes, size_t n)
{
	size_t at = n < 8 ? n : 8;
	if (!names)
		names = malloc(NAMES * sizeof(*names));
	REQUIRE(names);
	memset(names, 0, MOST_CHILDREN * sizeof(*names));
	world_begin(frames_seed(bytes, n));
	s = (struct session){.rng = &world.rng, .n = n - at};
	s.script = malloc(s.n ? s.n : 1);
	REQUIRE(s.script || world.failed);
	if (s.script) {
		memcpy(s.script, bytes + at, s.n);
		s.control = world_open(THING_SOCKET);
		struct thing *t = world_thing(s.control);
		t->bytes = s.script;
		t->n = s.n;
		t->passes = rng_below(s.rng, 20);
		world.act = act;
		world.fork = on_fork;
		world.wait = on_wait;
		world.kill = on_kill;
		world.removes = on_remove;
		world.names = rng_one_in(s.rng, 100) ? NULL : (void *)names;
		play();
		/* What a channel holds until it is asked for. */
		REQUIRE(world_open_given() <= 1);
	}
	world_abandon(); /* with the process */
}

static void make(struct input *in, struct rng *r)
{
	frames_begin(in, r);
	for (size_t i = 1 + rng_below(r, 3); i > 0; i--)
		(void)frames_add(in, r, TO_TEMPLATE);
}

const struct target target_template = {"template", 10, make, run};
