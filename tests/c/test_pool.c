/*
 * A pool of the real template and workers that do in C what messages tell them:
 * starting, replacing, every way to die, and that nothing is left behind.
 *
 * All processes of a pool hold the writing end of one named pipe, `life`: its
 * end shows that the last of them is gone.
 */
#include "pool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "io.h"
#include "proc.h"
#include "template.h"
#include "test.h"

enum {
	BIG = 3000000, /* bytes: more than any socket holds */
	LIFE = 20,     /* seconds: of what a failed test leaves behind */
};

static char top[] = "/tmp/test_poolXXXXXX";
static char life_path[64], base[TMPDIR_MAX];
static int life; /* its reading end */

/* ---- a worker ---- */

struct echo {
	struct chan chan;
	char log[100]; /* the first letter of each call */
	char text[100];
	char *payload;
	size_t len;
};

static void wait_for(struct chan *c, struct wire_head *h)
{
	int rc;
	while ((rc = chan_head(c, h)) == -EAGAIN) {
		rc = chan_fill(c, NULL);
		if (rc == -EAGAIN)
			(void)io_wait(c->fd, POLLIN, -1);
		else if (rc < 0)
			proc_leave(0); /* the session closed it */
	}
	CHECK(rc == 0);
}

/* The payload of the message in front, as a string; freed by the caller. */
static char *text_of(struct chan *c, size_t *len)
{
	size_t n = 0, room = 64;
	char *text = malloc(room + 1);
	int rc = 0;
	while (rc == 0 || rc == -EAGAIN) {
		if (n == room) {
			room *= 2;
			char *more = realloc(text, room + 1);
			CHECK(more);
			text = more;
		}
		rc = chan_pull(c, text + n, room - n, &(size_t){0});
		if (rc == 0)
			n = room;
		else if (rc == -ENODATA)
			break;
	}
	*len = n;
	return text;
}
