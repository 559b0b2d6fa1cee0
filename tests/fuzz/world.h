/*
 * The system as the code under test sees it: sockets, time, shared memory,
 * children and the heap, all made up. The linker puts it in the place of the
 * functions of io.c, shm.c and the C library (tools/fuzz.sh has the list), so
 * that nothing waits, no process is ever signalled or waited for, an input does
 * the same whenever it is run, and what is left open, or leaks, is known after
 * each.
 *
 * Descriptors are numbers that no process has. What a peer sends is a script;
 * of that so much has arrived.
 */
#ifndef POOL_WORLD_H
#define POOL_WORLD_H

#include <setjmp.h>
#include <sys/types.h>

#include "chan.h"
#include "fuzz.h"

enum thing_kind { THING_FREE, THING_SOCKET, THING_MEMORY, THING_OTHER };

struct thing {
	enum thing_kind kind;
	const unsigned char *bytes; /* the script */
	size_t n;
	size_t here;	/* have arrived */
	size_t at;	/* were read */
	size_t room;	/* for bytes to be sent */
	size_t passes;	/* descriptors that may still come */
	bool given;	/* it came so */
	bool ended;	/* the peer closes it after the script */
	size_t slab;	/* memory: which */
	size_t size;	/* of it */
	bool is_rings;	/* a descriptor that comes is that of rings */
	unsigned wakes; /* bytes without meaning that have arrived */
};

struct world {
	struct rng rng;
	uint64_t now;
	uint64_t tick;	       /* what a look at the clock takes */
	size_t fails;	       /* the allocation that does, and 1; 0: none */
	bool failed;	       /* one has */
	size_t passed;	       /* descriptors that came */
	size_t reads;	       /* of links */
	bool (*act)(void *of); /* peers do something; false: never again */
	void *of;
	pid_t (*fork)(void);
	pid_t (*wait)(pid_t pid, bool hangs);
	void (*kill)(pid_t pid, int signal);
	void (*removes)(const char *path);
	unsigned char *names; /* what mmap() gives */
	jmp_buf *leaves;      /* where a process that ends goes; NULL: none */
	int pairs[64];	      /* this side's ends, in order */
	size_t n_pairs;
	int session, children; /* what tells of them; 0: nothing */
};
extern struct world world;

void world_begin(uint64_t seed);
void world_end(void);	  /* nothing is left */
void world_abandon(void); /* all of it goes, as with a process */

int world_open(enum thing_kind kind);
struct thing *world_thing(int fd); /* an open one */
size_t world_open_given(void);	   /* descriptors that came, and are open */

/* Some bytes of the script arrive: false if there are none left. */
bool world_deliver(struct thing *t);

/* A peer's writing into a ring of whatever fits: how many bytes. */
size_t world_write(struct ring *in, const unsigned char *bytes, size_t n);

/* A peer's lies about the rings of a link. */
void world_tamper(struct link *l);

#endif
