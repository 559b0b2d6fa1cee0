/*
 * Is a file of LMDB's whole? The format is that of LMDB 0.9 (its data version
 * 1), in the numbers of this machine. Pages are read, not mapped: a file that
 * is too short is then an error, and no signal.
 */
#include "lmdb_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lmdb_format.h"

static const uint32_t magic = UINT32_C(0xbeefc0de);
static const size_t none = SIZE_MAX; /* the root of an empty tree */

/* Half of what a process can have. */
static const size_t most_map = SIZE_MAX >> (sizeof(size_t) > 4 ? 18 : 1);

enum { LOOKS = 100 };

struct walk {
	int file;
	size_t size;  /* of a page */
	size_t last;  /* the number of the last one */
	size_t whole; /* how many are in the file */
	unsigned char *seen;
	struct tree found; /* what it has counted there */
	bool in_main, in_free, removed;
};

struct key {
	const unsigned char *at; /* NULL: no limit */
	size_t n;
};

static int read_at(const struct walk *w, size_t page, void *out, size_t n)
{
	ssize_t got;
	do
		got = pread(w->file, out, n, (off_t)(page * w->size));
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? 0 : got < 0 ? -errno : -EBADMSG;
}

/* Pages that are there, and used for the first time. */
static int use(struct walk *w, size_t first, size_t n)
{
	if (first < METAS || first > w->last || n > w->last - first + 1 ||
	    first >= w->whole || n > w->whole - first)
		return -EBADMSG;
	for (size_t p = first; p < first + n; p++) {
		unsigned char bit = (unsigned char)(1 << (p % 8));
		if (w->seen[p / 8] & bit)
			return -EBADMSG;
		w->seen[p / 8] |= bit;
	}
	return 0;
}

static int compare(const struct walk *w, struct key a, struct key b)
{
	if (w->in_free) {
		size_t x, y;
		memcpy(&x, a.at, sizeof x);
		memcpy(&y, b.at, sizeof y);
		return x < y ? -1 : x > y;
	}
	int order = memcmp(a.at, b.at, a.n < b.n ? a.n : b.n);
	return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* A node of a page that was read; `used` gains what it takes there. */
static int node_at(const struct walk *w, const unsigned char *bytes, size_t i,
		   struct node *node, size_t *at)
{
	struct page page;
	uint16_t offset;
	memcpy(&page, bytes, HEAD);
	memcpy(&offset, bytes + HEAD + 2 * i, sizeof offset);
	if (offset < page.upper || offset % 2 ||
	    offset + sizeof *node > w->size)
		return -EBADMSG;
	memcpy(node, bytes + offset, sizeof *node);
	*at = offset + sizeof *node;
	return node->key > w->size - *at ? -EBADMSG : 0;
}

static size_t value_size(const struct node *node)
{
	return node->low | (size_t)node->high << 16;
}

static size_t child_of(const struct node *node)
{
	size_t child = value_size(node);
#if SIZE_MAX > UINT32_MAX
	child |= (size_t)node->flags << 32;
#endif
	return child;
}

/* -- values in pages of their own -- */

static int check_big(struct walk *w, size_t first, size_t n)
{
	struct page page;
	if (n > SIZE_MAX - HEAD)
		return -EBADMSG;
	size_t pages = (HEAD + n - 1) / w->size + 1;
	int rc = use(w, first, pages);
	w->found.overflows += pages;
	if (rc < 0 || !(w->removed || w->in_free))
		return rc;
	rc = read_at(w, first, &page, HEAD);
	if (rc == 0 && (page.number != first || page.flags != OVERFLOW ||
			page.pages != pages))
		rc = -EBADMSG;
	return rc;
}

/* -- the list of free pages: how many, then their numbers -- */

static int check_free(struct walk *w, const unsigned char *list, size_t n)
{
	size_t count, page;
	if (n < sizeof count)
		return -EBADMSG;
	memcpy(&count, list, sizeof count);
	if (count > n / sizeof page - 1)
		return -EBADMSG;
	for (size_t i = 1, above = none; i <= count; i++, above = page) {
		memcpy(&page, list + i * sizeof page, sizeof page);
		if (page >= above || page < METAS || page > w->last)
			return -EBADMSG;
		/* One behind the end of the file was never written. */
		int rc = page < w->whole ? use(w, page, 1) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_big_free(struct walk *w, size_t first, size_t n)
{
	unsigned char *list = malloc(HEAD + n);
	if (!list)
		return -ENOMEM;
	int rc = read_at(w, first, list, HEAD + n);
	if (rc == 0)
		rc = check_free(w, list + HEAD, n);
	free(list);
	return rc;
}

static int check_tree(struct walk *w, const struct tree *tree);

static int check_table(struct walk *w, const unsigned char *bytes, size_t n)
{
	struct tree tree;
	struct walk below = *w;
	if (n != sizeof tree || !w->in_main)
		return -EBADMSG;
	memcpy(&tree, bytes, sizeof tree);
	below.in_main = false;
	return tree.flags == 0 && tree.pad == 0 ? check_tree(&below, &tree)
						: -EBADMSG;
}

/* The value of a leaf's node; *used: the bytes that it takes there. */
static int check_value(struct walk *w, const unsigned char *bytes,
		       const struct node *node, size_t at, size_t *used)
{
	size_t n = value_size(node), room = w->size - at - node->key;
	const unsigned char *value = bytes + at + node->key;
	bool big = node->flags == BIG;
	*used = big ? sizeof(size_t) : n;
	if (*used > room || (node->flags && !big && node->flags != TABLE))
		return -EBADMSG;
	if (w->in_main && node->flags != TABLE)
		return -EBADMSG;
	if (node->flags == TABLE)
		return check_table(w, value, n);
	if (!big)
		return w->in_free ? check_free(w, value, n) : 0;
	size_t first;
	memcpy(&first, value, sizeof first);
	int rc = check_big(w, first, n);
	return rc == 0 && w->in_free ? check_big_free(w, first, n) : rc;
}

/* -- pages -- */

static int check_page(struct walk *w, size_t number, int depth, struct key from,
		      struct key to);

static int check_nodes(struct walk *w, const unsigned char *bytes, int depth,
		       struct key from, struct key to)
{
	struct page page;
	struct node node;
	size_t at = 0, used, sum = 0;
	memcpy(&page, bytes, HEAD);
	size_t n = (page.lower - (size_t)HEAD) / 2;
	bool leaf = page.flags == LEAF;
	struct key key = from;
	size_t child = none;
	for (size_t i = 0; i < n; i++) {
		int rc = node_at(w, bytes, i, &node, &at);
		if (rc < 0)
			return rc;
		struct key next = {bytes + at, node.key};
		/* The first key of a branch stands for its lower limit. */
		bool first = !leaf && i == 0;
		if (node.key > KEY_MOST || (!first && node.key == 0) ||
		    (!first && w->in_free && node.key != sizeof(size_t)))
			return -EBADMSG;
		if (!first && key.at &&
		    compare(w, key, next) >= (leaf && i == 0))
			return -EBADMSG;
		if (!first && to.at && compare(w, next, to) >= 0)
			return -EBADMSG;
		if (!leaf && i > 0)
			rc = check_page(w, child, depth - 1, key, next);
		child = leaf ? none : child_of(&node);
		key = first ? from : next;
		used = 0;
		if (rc == 0 && leaf)
			rc = check_value(w, bytes, &node, at, &used);
		if (rc < 0)
			return rc;
		sum += (sizeof node + node.key + used + 1) & ~(size_t)1;
	}
	w->found.entries += leaf ? n : 0;
	if (sum != w->size - page.upper)
		return -EBADMSG;
	return leaf ? 0 : check_page(w, child, depth - 1, key, to);
}

static int check_page(struct walk *w, size_t number, int depth, struct key from,
		      struct key to)
{
	struct page page;
	int rc = use(w, number, 1);
	if (rc < 0)
		return rc;
	unsigned char *bytes = malloc(w->size);
	if (!bytes)
		return -ENOMEM;
	rc = read_at(w, number, bytes, w->size);
	memcpy(&page, bytes, HEAD);
	bool leaf = depth == 1;
	if (rc == 0 &&
	    (page.number != number || page.flags != (leaf ? LEAF : BRANCH) ||
	     page.lower < HEAD + (leaf ? 2 : 4) || page.lower % 2 ||
	     page.upper < page.lower || page.upper > w->size))
		rc = -EBADMSG;
	if (rc == 0)
		rc = check_nodes(w, bytes, depth, from, to);
	*(leaf ? &w->found.leaves : &w->found.branches) += 1;
	free(bytes);
	return rc;
}

static int check_tree(struct walk *w, const struct tree *tree)
{
	struct key all = {NULL, 0};
	if (tree->root == none)
		return tree->entries == 0 && tree->depth == 0 ? 0 : -EBADMSG;
	if (tree->depth < 1 || tree->depth > LEVELS)
		return -EBADMSG;
	w->found = (struct tree){.root = none};
	int rc = check_page(w, tree->root, tree->depth, all, all);
	if (rc < 0)
		return rc;
	return w->found.entries == tree->entries &&
			       w->found.branches == tree->branches &&
			       w->found.leaves == tree->leaves &&
			       w->found.overflows == tree->overflows
		       ? 0
		       : -EBADMSG;
}

/* -- the file -- */

static int read_meta(const struct walk *w, size_t i, struct meta *meta)
{
	unsigned char bytes[HEAD + sizeof *meta];
	struct page page;
	int rc = read_at(w, i, bytes, sizeof bytes);
	memcpy(&page, bytes, HEAD);
	memcpy(meta, bytes + HEAD, sizeof *meta);
	if (rc == 0 && (meta->magic != magic || page.flags != META))
		rc = -EPROTO;
	return rc;
}

static int check_metas(struct walk *w)
{
	struct meta meta[METAS];
	for (size_t i = 0; i < METAS; i++) {
		int rc = read_meta(w, i, &meta[i]);
		if (rc < 0)
			return rc == -EPROTO && i > 0 ? -EBADMSG : rc;
		if (meta[i].version != VERSION)
			return i > 0 ? -EBADMSG : 0;
		w->size = meta[i].free.pad;
		if (w->size < LEAST_PAGE || w->size > MOST_PAGE ||
		    (w->size & (w->size - 1)) || w->size != meta[0].free.pad ||
		    meta[i].map > most_map || meta[i].last < METAS - 1 ||
		    meta[i].last >= most_map / w->size)
			return -EBADMSG;
	}
	/* Each commit is in the other one: else LMDB takes one that is past. */
	return meta[0].txn == meta[1].txn + 1 || meta[1].txn == meta[0].txn + 1
		       ? 0
		       : -EBADMSG;
}

int lmdb_check_head(int file)
{
	int rc = -EBADMSG;
	for (int i = 0; i < LOOKS && rc == -EBADMSG; i++) {
		struct walk w = {.file = file};
		rc = check_metas(&w); /* between two commits, with luck */
	}
	return rc == -EPROTO ? 0 : rc;
}

/* The meta page of a transaction. Both may change while one looks, but not the
 * one that a reader reads by, until two more have been written. */
static int find_meta(const struct walk *w, size_t txn, struct meta *meta)
{
	for (size_t i = 0; i < METAS; i++) {
		int rc = read_meta(w, i, meta);
		if (rc < 0 && rc != -EPROTO)
			return rc;
		if (rc == 0 && meta->txn == txn)
			return 0;
	}
	return -EAGAIN;
}

static int check_all(struct walk *w, const struct meta *meta)
{
	if (meta->free.pad != w->size || meta->last < METAS - 1 ||
	    meta->last >= most_map / w->size ||
	    (meta->free.flags & ~(unsigned)INTEGER_KEYS) || meta->main.flags)
		return -EBADMSG;
	w->last = meta->last;
	w->seen = calloc(w->whole / 8 + 1, 1);
	if (!w->seen)
		return -ENOMEM;
	w->in_main = true;
	int rc = check_tree(w, &meta->main);
	w->in_main = false;
	w->in_free = true;
	if (rc == 0)
		rc = check_tree(w, &meta->free);
	free(w->seen);
	return rc;
}

int lmdb_check_state(int file, const struct lmdb_state *state)
{
	struct stat st;
	struct meta meta;
	if (fstat(file, &st) < 0)
		return -errno;
	struct walk w = {.file = file,
			 .removed = state->removed,
			 .size = state->page,
			 .whole = (size_t)st.st_size / state->page};
	int rc = find_meta(&w, state->txn, &meta);
	if (rc < 0)
		return rc;
	return meta.version == VERSION ? check_all(&w, &meta) : 0;
}

int lmdb_check(MDB_txn *txn, int file, bool removed)
{
	MDB_stat stat;
	if (mdb_env_stat(mdb_txn_env(txn), &stat) != 0)
		return -EINVAL;
	struct lmdb_state state = {.page = stat.ms_psize,
				   .txn = mdb_txn_id(txn),
				   .removed = removed};
	return lmdb_check_state(file, &state);
}
