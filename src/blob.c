/* Shared bytes. */
#include "blob.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "io.h"

struct blob *blob_new(void)
{
	struct blob *s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct blob){.refs = 1};
	buf_init(&s->buf, SIZE_MAX / 2);
	return s;
}

struct blob *blob_ref(struct blob *s)
{
	s->refs++;
	return s;
}

void blob_unref(struct blob *s)
{
	if (!s || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->n_fds; i++)
		io_close(&s->fds[i]);
	free(s->fds);
	buf_release(&s->buf);
	free(s);
}

int blob_attach(struct blob *s, int fd)
{
	int *more = realloc(s->fds, (s->n_fds + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->fds = more;
	s->fds[s->n_fds++] = fd;
	return 0;
}
