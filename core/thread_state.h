/* A thread's state, and the moves between them that several CPUs may try at once. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * One atomic word: bits 7:0 the state, 31:8 how often the slot has been used. A handle of a thread
 * names both, so whoever holds one of a thread that has ended never meets the next one.
 *
 *            new                   will_stop                 switched_out
 *   FREE ----------> RUN <=====================> WILL_STOP ---------------> STOPPED
 *    ^                |            wake                                        |
 *    |  free          | exit       RUN <---------------- wake, and into the queue
 *    +--- EXITED <----+
 *
 * RUN: in the queue, or on a CPU. A thread that waits says so first (WILL_STOP), then looks at what
 * it waits for, then calls schedule(). Who makes that come true wakes it behind that. Whichever is
 * last sees the other: no wake-up is lost. tests/spin/thread_state.pml is the model.
 */
enum thread_state {
	THREAD_FREE,
	THREAD_RUN,
	THREAD_WILL_STOP,
	THREAD_STOPPED,
	THREAD_EXITED,
};

enum thread_out {
	THREAD_OUT_QUEUE,   /* it goes on: the caller puts it into the queue */
	THREAD_OUT_STOPPED, /* who wakes it puts it there; it may run again by now */
	THREAD_OUT_ENDED,   /* its slot is the caller's */
};

enum thread_woken {
	THREAD_WAKE_QUEUE,  /* it had stopped: the caller puts it into the queue */
	THREAD_WAKE_CANCEL, /* it was about to stop, and goes on */
	THREAD_WAKE_RUNS,   /* it runs: nothing to do */
	THREAD_WAKE_GONE,   /* it has ended */
};

static inline enum thread_state thread_state_of(uint32_t word)
{
	return (enum thread_state)(word & 0xff);
}

/* Take a free slot for a new thread in state RUN. False: it is not free. */
bool thread_state_new(uint32_t *word);
/* The running thread is about to stop. A full barrier: what it looks at next is read behind this.
 */
void thread_state_will_stop(uint32_t *word);
/* The running thread changed its mind: RUN again. */
void thread_state_stay(uint32_t *word);
/* The running thread ends. */
void thread_state_exit(uint32_t *word);
/* Its registers are saved, its stack is not used any more: the CPU that ran it asks what now. */
enum thread_out thread_state_switched_out(uint32_t *word);
/* An exited thread's slot is free for the next one. */
void thread_state_free(uint32_t *word);
/*
 * Wake the thread whose word was `handle` in its upper bits when it was made. A full barrier before
 * it looks: what the caller wrote before is seen by a thread that goes on without being woken.
 */
enum thread_woken thread_state_wake(uint32_t *word, uint32_t handle);
