/*
 * News of the pool: one poll over the template and the workers.
 */
#ifndef POOL_POOL_POLL_H
#define POOL_POOL_POLL_H

#include "pool.h"

/*
 * One round: sends what waits, waits up to `ms` for news, takes it in. Then a
 * worker may have a message in its channel, or be WORKER_GONE. 0, -EINTR, or
 * -EPIPE: the template is gone.
 */
int pool_poll(struct pool *p, int ms);

/* The same without waiting, unless there was one within a millisecond. */
void pool_look(struct pool *p);

#endif
