/* What can become of a task. */
#include "task_state.h"

#include "test.h"

int main(void)
{
	for (int s = TASK_QUEUED; s < TASK_STATES; s++) {
		enum task_state state = (enum task_state)s;
		bool over = state == TASK_COMPLETED || state == TASK_FAILED ||
			    state == TASK_LOST;
		CHECK(task_is_over(state) == over);
		for (int e = 0; e < TASK_EVENTS; e++) {
			enum task_state to =
				task_next(state, (enum task_event)e);
			CHECK(to < TASK_STATES && to != state);
			/* A result stays, whatever comes. */
			CHECK(!over || to == TASK_NONE);
		}
	}
	CHECK(task_next(TASK_QUEUED, TASK_CLAIM) == TASK_RUNNING);
	CHECK(task_next(TASK_RUNNING, TASK_CLAIM) == TASK_NONE);
	CHECK(task_next(TASK_RUNNING, TASK_RETURN) == TASK_QUEUED);
	CHECK(task_next(TASK_QUEUED, TASK_RETURN) == TASK_NONE);
	CHECK(task_next(TASK_QUEUED, TASK_LOSE) == TASK_NONE);
	CHECK(task_next(TASK_RUNNING, TASK_LOSE) == TASK_LOST);
	for (int s = TASK_QUEUED; s <= TASK_RUNNING; s++) {
		enum task_state state = (enum task_state)s;
		CHECK(task_next(state, TASK_COMPLETE) == TASK_COMPLETED);
		CHECK(task_next(state, TASK_FAIL) == TASK_FAILED);
	}
	return 0;
}
