/*
 * The states of a task and what leads from one to the other: task_state.c has
 * the one table. The numbers of the last three are in records, as the status of
 * a result.
 */
#ifndef POOL_TASK_STATE_H
#define POOL_TASK_STATE_H

#include <stdbool.h>

enum task_state {
	TASK_NONE, /* of an event: nothing changes */
	TASK_QUEUED,
	TASK_RUNNING,
	TASK_COMPLETED,
	TASK_FAILED, /* in R */
	TASK_LOST,   /* with its nodes */
	TASK_STATES
};

enum task_event {
	TASK_CLAIM,    /* somebody takes it */
	TASK_COMPLETE, /* a value came */
	TASK_FAIL,     /* an error came */
	TASK_LOSE,     /* it killed its node too often */
	TASK_RETURN,   /* given back, or its claimant is dead */
	TASK_EVENTS
};

enum task_state task_next(enum task_state state, enum task_event event);

/* It has a result, which stays. */
bool task_is_over(enum task_state state);

#endif
