/* Sealed records. */
#include "sealed.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"
#include "lmdb_errno.h"

struct number_key number_key(uint64_t number)
{
	struct number_key key;
	for (int i = 7; i >= 0; i--, number >>= 8)
		key.byte[i] = (unsigned char)number;
	return key;
}

int number_of_key(struct bytes key, uint64_t *number)
{
	const unsigned char *byte = key.at;
	*number = 0;
	if (key.n != sizeof(struct number_key))
		return -EBADMSG;
	for (size_t i = 0; i < key.n; i++)
		*number = *number << 8 | byte[i];
	return 0;
}

/* The lengths keep a key from running on into its value. */
static uint32_t seal_of(unsigned char tag, struct bytes key, size_t n)
{
	unsigned char place[2 + sizeof(uint64_t)] = {tag, (unsigned char)key.n};
	uint64_t length = n;
	memcpy(place + 2, &length, sizeof length);
	return crc32c(crc32c(0, place, sizeof place), key.at, key.n);
}

int sealed_check(unsigned char tag, struct bytes key, struct bytes record,
		 struct bytes *content)
{
	uint32_t seal;
	if (record.n < SEAL)
		return -EBADMSG;
	memcpy(&seal, record.at, SEAL);
	*content = (struct bytes){(const unsigned char *)record.at + SEAL,
				  record.n - SEAL};
	return crc32c(seal_of(tag, key, content->n), content->at, content->n) ==
			       seal
		       ? 0
		       : -EBADMSG;
}

/* LMDB takes a key by a pointer to what it may change, and does not. */
static MDB_val val(struct bytes b)
{
	MDB_val v = {.mv_size = b.n};
	memcpy(&v.mv_data, &b.at, sizeof v.mv_data);
	return v;
}

int sealed_get(const struct sealed *t, struct bytes key, struct bytes *content)
{
	MDB_val k = val(key), v;
	int rc = lmdb_errno(mdb_get(t->txn, t->dbi, &k, &v));
	if (rc < 0)
		return rc;
	return sealed_check(t->tag, key, (struct bytes){v.mv_data, v.mv_size},
			    content);
}

int sealed_put(const struct sealed *t, struct bytes key, struct bytes head,
	       struct bytes tail, unsigned flags)
{
	uint32_t seal = seal_of(t->tag, key, head.n + tail.n);
	seal = crc32c(seal, head.at, head.n);
	seal = crc32c(seal, tail.at, tail.n);
	MDB_val k = val(key), v = {.mv_size = SEAL + head.n + tail.n};
	int rc = lmdb_errno(
		mdb_put(t->txn, t->dbi, &k, &v, flags | MDB_RESERVE));
	if (rc < 0)
		return rc;
	unsigned char *to = v.mv_data;
	memcpy(to, &seal, SEAL);
	if (head.n > 0)
		memcpy(to + SEAL, head.at, head.n);
	if (tail.n > 0)
		memcpy(to + SEAL + head.n, tail.at, tail.n);
	return 0;
}

int sealed_delete(const struct sealed *t, struct bytes key)
{
	MDB_val k = val(key);
	return lmdb_errno(mdb_del(t->txn, t->dbi, &k, NULL));
}

int sealed_step(const struct sealed *t, MDB_cursor *c, MDB_cursor_op op,
		struct bytes *key, struct bytes *content)
{
	MDB_val k = val(*key), v;
	int rc = lmdb_errno(mdb_cursor_get(c, &k, &v, op));
	if (rc < 0)
		return rc;
	*key = (struct bytes){k.mv_data, k.mv_size};
	return sealed_check(t->tag, *key, (struct bytes){v.mv_data, v.mv_size},
			    content);
}
