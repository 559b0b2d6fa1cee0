/*
 * The session's pool: the template and the workers (and, in pool_poll.h, one
 * poll over them).
 *
 * Owned by the process that opened it: in a fork of that process every function
 * but pool_alive() must be kept from being called.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "chan.h"
#include "spin.h"
#include "worker.h"

/* What is polled beside the workers: control socket and template. */
enum { POOL_POLLS = 2 };

struct pool {
	pid_t owner;
	pid_t template;
	int watch; /* the template's pidfd, or -1 */
	struct chan control;
	bool lost;	   /* the template is gone, or speaks nonsense */
	uint64_t asked;	   /* WIRE_STATE sent: the last one's number */
	uint64_t answered; /* the last number answered, and 1 */
	int answer;	   /* its errno */

	struct worker *workers;
	struct pollfd *polls; /* POOL_POLLS, and n */
	size_t n;
	uint64_t next_id;
	size_t cores;
	struct shm board; /* a page that all workers of a call can write */
	bool shares; /* memory with its workers; false: all goes by socket */
	struct spin spin;

	struct blob **setup; /* calls every new worker goes through first */
	size_t setups;
	bool setup_failed; /* some of it, on a replacement */
};

/* Takes the control socket and the template over. */
int pool_open(struct pool *p, int control, pid_t template);

/* Ends template and workers, waits for the template (`ms` at most, then kills
 * it) and frees everything. */
void pool_close(struct pool *p, int ms);

bool pool_alive(const struct pool *p);

/* All workers are replaced by n new ones, which are WORKER_STARTING then. */
int pool_restart(struct pool *p, size_t n);

/* A new worker in a slot whose worker is gone; it goes through the set-up. */
int pool_start_worker(struct pool *p, size_t slot);
int pool_kill_worker(struct pool *p, size_t slot);

/* A worker that is busy with that call is to leave it: between two elements; or
 * in the middle of one too, if that lets itself be interrupted. */
void pool_stop_worker(struct pool *p, size_t slot, uint32_t call);
int pool_interrupt_worker(struct pool *p, size_t slot, uint32_t call);

/* What new workers are told first: whole WIRE_CALL messages, referenced; n may
 * be 0. */
int pool_set_setup(struct pool *p, struct blob *const *calls, size_t n);

/* Is there a core for the session, every busy worker and `more`? */
bool pool_has_cores(const struct pool *p, size_t more);

/* How many workers are in that state. */
size_t pool_count(const struct pool *p, enum worker_state state);

#endif
