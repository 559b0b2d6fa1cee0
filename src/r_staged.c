/*
 * Staged elements. A segment is a head, the packed blocks, then two tables: the
 * elements' numbers that blocks end before, and where each block begins. What a
 * worker reads of it is checked when it opens it.
 */
#include "r_staged.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "chan_read.h"
#include "cursor.h"
#include "io.h"
#include "r_large.h"
#include "r_part.h"
#include "r_stream.h"
#include "store.h"

enum {
	FEWEST = 32,	   /* elements: fewer are sent one by one */
	FIRST_BLOCK = 16,  /* elements */
	LARGEST = 1 << 15, /* elements of a block */
	BLOCK = 256 << 10, /* bytes of a block, about */
	WHOLE = 64 << 20,  /* bytes that are staged, about */
};

struct head {
	uint64_t blocks;
	uint64_t tables; /* where they begin, in bytes */
};

struct told {			 /* the payload of WIRE_STAGE */
	uint64_t board, segment; /* what they are known by */
	uint64_t n;
	uint64_t sharers;
};

/* ---- the session ---- */

struct staging {
	struct buf *bytes;
	uint64_t *ends, *begins;
	size_t blocks, room;
};

static int append(struct buf *b, const uint64_t *numbers, size_t n)
{
	return buf_append(b, numbers, n * sizeof(*numbers));
}

static struct cursor_state *cursor_of(const struct r_pool *r)
{
	/* A mapping begins with a page. */
	return (struct cursor_state *)(void *)r->pool.board.at;
}

/* Room for one more block; R_alloc, so that a jump frees it. */
static void grow(struct staging *s)
{
	if (s->ends && s->blocks + 1 < s->room)
		return;
	size_t room = s->room * 2;
	uint64_t *ends = (uint64_t *)R_alloc(room, sizeof(*ends));
	uint64_t *begins = (uint64_t *)R_alloc(room, sizeof(*begins));
	if (s->blocks > 0) {
		memcpy(ends, s->ends, s->blocks * sizeof(*ends));
		memcpy(begins, s->begins, s->blocks * sizeof(*begins));
	}
	s->ends = ends;
	s->begins = begins;
	s->room = room;
}

/* Packs blocks until all are, or enough, or one is heavy: how many elements. */
static size_t pack_blocks(struct staging *s, const struct r_pool *r, SEXP x)
{
	size_t first = 0, size = FIRST_BLOCK;
	while (first < r->sched.n && s->bytes->len < WHOLE) {
		if (size > r->sched.n - first)
			size = r->sched.n - first;
		SEXP block =
			PROTECT(r_part(x, r->kind == CALL_MAP, first, size));
		if (r_large_any(block)) {
			UNPROTECT(1);
			break;
		}
		grow(s);
		size_t begin = s->bytes->len;
		s->begins[s->blocks] = begin;
		r_stream_pack(s->bytes, block);
		UNPROTECT(1);
		first += size;
		s->ends[s->blocks++] = first;
		size_t took = s->bytes->len - begin;
		size = took >= BLOCK / 2
			       ? (size_t)((double)size * BLOCK / (double)took) +
					 1
		       : took >= BLOCK / 8 ? size * 2
					   : size * 8;
		size = size < LARGEST ? size : LARGEST;
	}
	return first;
}

static int finish_bytes(struct staging *s)
{
	static const unsigned char zero[sizeof(uint64_t)] = {0};
	struct buf *b = s->bytes;
	s->begins[s->blocks] = b->len;
	size_t odd = b->len % sizeof(uint64_t);
	int rc = odd ? buf_append(b, zero, sizeof(uint64_t) - odd) : 0;
	struct head h = {.blocks = s->blocks, .tables = b->len};
	if (rc == 0)
		rc = append(b, s->ends, s->blocks);
	if (rc == 0)
		rc = append(b, s->begins, s->blocks + 1);
	memcpy(b->bytes, &h, sizeof(h));
	return rc;
}

static int attach(struct blob *b, int fd)
{
	int rc = blob_attach(b, fd);
	if (rc < 0)
		io_close(&fd);
	return rc;
}

/* The message, with the descriptors of board and segment. */
static int make_message(struct r_pool *r, size_t n)
{
	const struct shm *board = &r->pool.board;
	struct told t = {.n = n, .sharers = r->pool.n};
	struct wire_head h = {.kind = WIRE_STAGE,
			      .flags = n == r->sched.n ? WIRE_LAST : 0,
			      .call = r->number};
	if (pool_has_cores(&r->pool, 1))
		h.flags |= WIRE_AWAKE;
	if (r->kept > 0)
		h.flags |= WIRE_KEEP;
	struct blob *b = r->staged = blob_new();
	if (!b)
		return -ENOMEM;
	int fd = -1;
	int rc = store_id(board->fd, &t.board);
	if (rc == 0) {
		fd = fcntl(board->fd, F_DUPFD_CLOEXEC, 0);
		rc = fd < 0 ? -errno : attach(b, fd);
	}
	if (rc == 0)
		rc = r_large_put(r->staging.bytes, r->staging.len, &fd,
				 &t.segment);
	if (rc == 0)
		rc = attach(b, fd);
	h.flags = (uint16_t)(h.flags + b->n_fds * WIRE_PASSED);
	struct wire_writer w;
	if (rc == 0)
		rc = wire_begin(&w, &b->buf, &h);
	if (rc == 0)
		rc = wire_put(&w, &t, sizeof(t));
	if (rc == 0)
		wire_end(&w);
	return rc;
}

void r_staged_make(struct r_pool *r, SEXP handle)
{
	struct head h = {0};
	struct staging s = {.bytes = &r->staging, .room = 64};
	if (!r->pool.shares || r->kind == CALL_EACH || r->sched.chunks > 0 ||
	    r->sched.n < FEWEST || r->sched.n >= CURSOR_MOST)
		return;
	grow(&s);
	buf_clear(&r->staging);
	int rc = buf_append(&r->staging, &h, sizeof(h));
	r->doing = "elements";
	size_t n =
		rc < 0 ? 0
		       : pack_blocks(&s, r, r_call_held(handle, HELD_ELEMENTS));
	r->doing = NULL;
	if (n > 0 && rc == 0)
		rc = finish_bytes(&s);
	if (n > 0 && rc == 0)
		rc = make_message(r, n);
	buf_clear(&r->staging);
	if (rc < 0 || n == 0) { /* the elements go by messages */
		blob_unref(r->staged);
		r->staged = NULL;
		return;
	}
	r->staged_n = n;
	sched_stage(&r->sched, n);
	cursor_open(cursor_of(r), r->number);
}

bool r_staged_more(const struct r_pool *r)
{
	return r->staged &&
	       cursor_at(cursor_of(r), r->number, r->staged_n) < r->staged_n;
}

int r_staged_end(struct r_pool *r)
{
	size_t claimed = cursor_at(cursor_of(r), r->number, r->staged_n);
	r_staged_drop(r);
	return sched_unstage(&r->sched, claimed);
}

void r_staged_give_up(struct r_pool *r)
{
	if (r->staged)
		cursor_close(cursor_of(r));
}

void r_staged_drop(struct r_pool *r)
{
	r_staged_give_up(r);
	blob_unref(r->staged);
	r->staged = NULL;
}

/* ---- a worker ---- */

static struct {
	struct shm board, segment;
	struct cursor cursor;
	const uint64_t *ends, *begins;
	size_t blocks;
	size_t unpacked; /* the block that `block` holds */
	SEXP block;	 /* a list of it; preserved */
} staged = {.board.fd = -1, .segment.fd = -1};

static int open_memory(struct shm *s, struct chan *c, uint64_t id,
		       enum shm_use use)
{
	int fd = link_claim(&c->link, wire_passed(&c->head), store_is, &id);
	int rc = fd < 0 ? fd : shm_adopt(s, fd);
	if (rc == 0)
		rc = shm_map(s, use);
	io_close(&s->fd); /* it is mapped */
	return rc;
}

/* The tables, if they are what they should be. */
static int open_tables(uint64_t n)
{
	const struct shm *s = &staged.segment;
	struct head h;
	if (s->size < sizeof(h))
		return -EPROTO;
	memcpy(&h, s->at, sizeof(h));
	size_t most = s->size / sizeof(uint64_t);
	if (h.tables > s->size || h.tables % sizeof(uint64_t) != 0 ||
	    h.blocks == 0 || h.blocks > most / 2 ||
	    h.tables / sizeof(uint64_t) + 2 * h.blocks + 1 > most)
		return -EPROTO;
	staged.blocks = (size_t)h.blocks;
	staged.ends = (const uint64_t *)(const void *)(s->at + h.tables);
	staged.begins = staged.ends + staged.blocks;
	for (size_t i = 0; i < staged.blocks; i++)
		if (staged.begins[i] > staged.begins[i + 1] ||
		    (i > 0 && staged.ends[i] <= staged.ends[i - 1]))
			return -EPROTO;
	return staged.begins[staged.blocks] <= h.tables && staged.ends[0] > 0 &&
			       staged.ends[staged.blocks - 1] == n
		       ? 0
		       : -EPROTO;
}

int r_staged_open(struct chan *c)
{
	struct told t;
	size_t got = 0;
	int rc;
	shm_init(&staged.board);
	shm_init(&staged.segment);
	while ((rc = chan_pull(c, &t, sizeof(t), &got)) == -EAGAIN)
		;
	if (rc == 0)
		rc = open_memory(&staged.board, c, t.board, SHM_SHARED);
	if (rc == 0)
		rc = open_memory(&staged.segment, c, t.segment, SHM_COPIED);
	if (rc == 0)
		rc = staged.board.size < sizeof(struct cursor_state) ||
				     t.sharers == 0
			     ? -EPROTO
			     : open_tables(t.n);
	if (rc < 0) {
		r_staged_close();
		return rc;
	}
	staged.unpacked = SIZE_MAX;
	staged.cursor = (struct cursor){
		.state = (struct cursor_state *)(void *)staged.board.at,
		.call = c->head.call,
		.n = (size_t)t.n,
		.sharers = (size_t)t.sharers};
	return 0;
}

bool r_staged_is_open(void)
{
	return staged.segment.at != NULL;
}

bool r_staged_claim(size_t *first, size_t *count)
{
	return cursor_claim(&staged.cursor, staged.ends, first, count);
}

void r_staged_timed(size_t count, uint64_t ns)
{
	cursor_timed(&staged.cursor, count, ns);
}

/* The block that has the element, unpacked. */
static SEXP unpack(size_t element, size_t *first)
{
	size_t k = 0;
	while (staged.ends[k] <= element)
		k++;
	*first = k > 0 ? (size_t)staged.ends[k - 1] : 0;
	if (!staged.block) {
		staged.block = Rf_allocVector(VECSXP, 1);
		R_PreserveObject(staged.block);
	}
	if (staged.unpacked != k) {
		staged.unpacked = SIZE_MAX;
		const unsigned char *at = staged.segment.at + staged.begins[k];
		size_t n = (size_t)(staged.begins[k + 1] - staged.begins[k]);
		SET_VECTOR_ELT(staged.block, 0, r_stream_unpack(at, n));
		staged.unpacked = k;
	}
	return VECTOR_ELT(staged.block, 0);
}

SEXP r_staged_read(size_t first, size_t count, bool columns)
{
	size_t begin;
	SEXP block = PROTECT(unpack(first, &begin));
	SEXP x = r_part(block, columns, first - begin, count);
	UNPROTECT(1);
	return x;
}

void r_staged_close(void)
{
	shm_release(&staged.board);
	shm_release(&staged.segment);
	staged.unpacked = SIZE_MAX;
	if (staged.block)
		SET_VECTOR_ELT(staged.block, 0, R_NilValue);
}
