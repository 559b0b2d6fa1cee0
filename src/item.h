/*
 * One transfer of many: what is asked, how far it is, what came of it; and its
 * parts, each an exchange. upload.h and download.h say what the parts are,
 * transfer.h whose turn it is.
 */
#ifndef POOL_ITEM_H
#define POOL_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "digest.h"
#include "http.h"
#include "newfile.h"

/* What the items of one run share. */
struct item_run {
	struct http *http;
	struct sign_account account;
	double timeout; /* seconds without a byte */
	unsigned retries;
	size_t active;	/* exchanges of all items */
	uint64_t ended; /* exchanges that went well */
};

enum { ITEM_BLOCKS = 50000 }; /* that a blob can have */

enum item_stage {
	ITEM_NEW = 0,
	ITEM_FIRST,  /* its first part is on the way: nothing else yet */
	ITEM_PARTS,  /* the others */
	ITEM_CHECK,  /* a digest of the whole is made */
	ITEM_COMMIT, /* the last request, which makes it count */
	ITEM_ENDED,
};

struct item {
	/* Asked: the caller's, as long as the item is. */
	const char *url;
	const char *path; /* NULL: memory */
	const unsigned char *bytes;
	uint64_t length;	    /* of bytes */
	const char *const *headers; /* "Name: value" */
	size_t n_headers;
	uint64_t blocksize;
	bool uploads;
	bool append;
	bool md5;
	bool replace; /* a file that is there */

	/* Came of it, once it is ITEM_ENDED. */
	char *error; /* NULL: all is well */
	uint64_t total;
	double seconds;
	unsigned attempts;
	int status; /* of the last answer; 0: none */
	char code[64];
	char request_id[64];
	struct buf memory; /* what was downloaded, where there is no path */

	/* On the way. */
	struct item_run *run;
	enum item_stage stage;
	uint64_t begun; /* nanoseconds */
	int fd;		/* of the file to send */
	struct timespec changed;
	struct newfile file; /* of the one to receive */
	uint64_t next;	     /* byte that the next part begins with */
	uint64_t moved;	     /* by parts that are over */
	uint64_t hashed;
	struct digest whole;
	struct digest piece;
	char md5_text[DIGEST_MD5_TEXT]; /* of what is sent, or expected */
	unsigned long long nonce;	/* of block ids */
	struct buf list;		/* of blocks */
	char etag[128];
	struct part *parts; /* on the way */
};

struct part {
	struct exchange x;
	struct item *item;
	void (*ended)(struct part *p); /* went well or not */
	uint64_t first;
	uint64_t length;
	char *url;
	char **lines; /* of its own */
	size_t n_lines;
	const char **headers; /* these and the item's */
	struct part *later;
};

/* A part of nothing yet, asking for the item's URL with `query` ("" or
 * "comp=..."); NULL where there is no memory. It must be sent, or dropped. */
struct part *part_new(struct item *it, const char *verb, const char *query);
void part_drop(struct part *p);

/* Adds a header; one that does not fit any more is kept back as an error of
 * part_send(). */
__attribute__((format(printf, 2, 3))) void part_header(struct part *p,
						       const char *format, ...);

/* Sends it with those of the item's headers that `wanted` says, and has `ended`
 * called when it is over, after which it is freed. Fails the item where it
 * cannot be sent. */
void part_send(struct part *p, bool (*wanted)(const char *line),
	       void (*ended)(struct part *p));

/* The answer said "success"; if not, that fails the item. */
bool part_succeeded(struct part *p);

/* Keeps what the answer says as the item's: status, code, request. */
void part_keep(const struct part *p);

/* Headers that every request on a blob must have, if one has: lease, key. */
bool part_for_all(const char *line);
bool part_for_any(const char *line);

/* Ends it. The error's text is the item's from then on. */
void item_end(struct item *it);
__attribute__((format(printf, 2, 3))) void item_fail(struct item *it,
						     const char *format, ...);

/* A failure of something local: "cannot VERB 'PATH': ..." */
void item_fail_local(struct item *it, const char *verb, int rc);

/* Digests of the bytes up to `end`, of the item's bytes or file `fd`: a few
 * megabytes of it. 1: all of it; 0: more to do; -errno (-ENODATA: too short).
 */
int item_hash(struct item *it, int fd, uint64_t end);

/* How long the next piece of `blocksize` is. */
uint64_t item_piece(const struct item *it);

/* Makes `blocksize` so large that ITEM_BLOCKS of it are enough. */
void item_spread(struct item *it);

/* Bytes moved until now. */
uint64_t item_moved(const struct item *it);

/* Frees what it holds, and cancels and removes what is on the way. */
void item_release(struct item *it);

#endif
