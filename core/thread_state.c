/* A thread's state, and the moves between them that several CPUs may try at once. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/thread_state.h"
#include "core/cas.h"

#define USES 0xffffff00u

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* From one state to another; false when it is in a third one. */
static bool move(uint32_t *word, enum thread_state from, enum thread_state to)
{
	uint32_t now = load(word);

	do {
		if (thread_state_of(now) != from)
			return false;
	} while (cas32(word, &now, (now & USES) | (uint32_t)to));
	return true;
}

bool thread_state_new(uint32_t *word)
{
	uint32_t now = load(word);

	return thread_state_of(now) == THREAD_FREE &&
	       !cas32(word, &now, ((now & USES) + 0x100) | THREAD_RUN);
}

void thread_state_will_stop(uint32_t *word)
{
	move(word, THREAD_RUN, THREAD_WILL_STOP);
}

void thread_state_stay(uint32_t *word)
{
	move(word, THREAD_WILL_STOP, THREAD_RUN);
}

void thread_state_exit(uint32_t *word)
{
	thread_state_stay(word);
	move(word, THREAD_RUN, THREAD_EXITED);
}

enum thread_out thread_state_switched_out(uint32_t *word)
{
	if (move(word, THREAD_WILL_STOP, THREAD_STOPPED))
		return THREAD_OUT_STOPPED;
	/* not in the queue, and not stopped: nobody else changes it now */
	return thread_state_of(load(word)) == THREAD_EXITED ? THREAD_OUT_ENDED : THREAD_OUT_QUEUE;
}

void thread_state_free(uint32_t *word)
{
	move(word, THREAD_EXITED, THREAD_FREE);
}

enum thread_woken thread_state_wake(uint32_t *word, uint32_t handle)
{
	/* x86 lets a load overtake an earlier store (SDM 3A 9.2.3.4) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint32_t now = load(word);

	do {
		if ((now & USES) != (handle & USES))
			return THREAD_WAKE_GONE;
		switch (thread_state_of(now)) {
		case THREAD_RUN:
			return THREAD_WAKE_RUNS;
		case THREAD_WILL_STOP:
		case THREAD_STOPPED:
			break;
		default:
			return THREAD_WAKE_GONE;
		}
	} while (cas32(word, &now, (now & USES) | THREAD_RUN));
	return thread_state_of(now) == THREAD_STOPPED ? THREAD_WAKE_QUEUE : THREAD_WAKE_CANCEL;
}
