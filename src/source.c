/* What an upload sends. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>

#ifdef __APPLE__
#define MODIFIED(st) ((st).st_mtimespec)
#else
#define MODIFIED(st) ((st).st_mtim)
#endif

static int look(struct item *it, struct stat *st)
{
	if (fstat(it->fd, st) < 0)
		return -errno;
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	/* Of a pipe the size is not known, and nothing could be sent again. */
	return S_ISREG(st->st_mode) ? 0 : -EINVAL;
}

static int open_file(struct item *it)
{
	it->total = it->length;
	if (!it->path)
		return 0;
	struct stat st;
	/* A pipe would keep the process until somebody writes. */
	do
		it->fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (it->fd < 0 && errno == EINTR);
	if (it->fd < 0)
		return -errno;
	int rc = look(it, &st);
	if (rc == 0) {
		it->total = (uint64_t)st.st_size;
		it->changed = MODIFIED(st);
	}
	return rc;
}

bool source_unchanged(struct item *it)
{
	struct stat st;
	if (it->fd < 0)
		return true;
	int rc = look(it, &st);
	if (rc < 0) {
		item_fail_local(it, "read", rc);
		return false;
	}
	struct timespec now = MODIFIED(st);
	if ((uint64_t)st.st_size == it->total &&
	    now.tv_sec == it->changed.tv_sec &&
	    now.tv_nsec == it->changed.tv_nsec)
		return true;
	item_fail(it, "'%s' changed while it was sent", it->path);
	return false;
}

bool source_open(struct item *it)
{
	int rc = open_file(it);
	if (rc == -EINVAL)
		item_fail(it, "cannot send '%s': not a file", it->path);
	else if (rc < 0)
		item_fail_local(it, "read", rc);
	return rc == 0;
}

void source_body(struct part *p, uint64_t first, uint64_t length)
{
	const struct item *it = p->item;
	p->first = first;
	p->length = length;
	p->x.body.fd = it->fd;
	p->x.body.offset = first;
	p->x.body.bytes = it->bytes ? it->bytes + first : NULL;
	p->x.body.length = length;
}

/* The digest of the next `length` bytes into md5_text. 1, 0 or -errno as
 * item_hash(). */
static int hash_piece(struct item *it, uint64_t length)
{
	int rc = 0;
	if (it->hashed == it->next)
		rc = digest_start(&it->piece);
	if (rc == 0 && it->hashed == 0)
		rc = digest_start(&it->whole);
	if (rc == 0)
		rc = item_hash(it, it->fd, it->next + length);
	if (rc == 1 && digest_end(&it->piece, it->md5_text) < 0)
		rc = -EIO;
	return rc;
}

bool source_hashed(struct item *it, uint64_t length, int *rc)
{
	*rc = it->md5 && length > 0 ? hash_piece(it, length) : 1;
	if (*rc < 0) {
		item_fail_local(it, "read", *rc);
		*rc = 0;
		return false;
	}
	if (*rc == 0)
		*rc = -EAGAIN;
	return *rc == 1;
}

void source_no_memory(struct item *it)
{
	item_fail_local(it, "send", -ENOMEM);
}

bool source_for_blob(const char *line)
{
	return strncasecmp(line, "x-ms-blob-type:", 15) != 0;
}
