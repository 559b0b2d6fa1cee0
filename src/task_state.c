/* The states of a task. A result that comes second changes nothing; one from a
 * claimant that was taken for dead counts like any other. */
#include "task_state.h"

static const unsigned char next[TASK_STATES][TASK_EVENTS] = {
	[TASK_QUEUED] =
		{
			[TASK_CLAIM] = TASK_RUNNING,
			[TASK_COMPLETE] = TASK_COMPLETED,
			[TASK_FAIL] = TASK_FAILED,
		},
	[TASK_RUNNING] =
		{
			[TASK_COMPLETE] = TASK_COMPLETED,
			[TASK_FAIL] = TASK_FAILED,
			[TASK_LOSE] = TASK_LOST,
			[TASK_RETURN] = TASK_QUEUED,
		},
};

enum task_state task_next(enum task_state state, enum task_event event)
{
	return (enum task_state)next[state][event];
}

bool task_is_over(enum task_state state)
{
	return state >= TASK_COMPLETED;
}
