/* The queue of threads that can run: first in, first out, shared by all CPUs. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/spinlock.h"

/* As many as there are threads: each is in the queue at most once, so it is never full. */
#define RUNQUEUE_SLOTS 256

/*
 * Fair in two ways. A ticket lock serves CPUs in the order in which they came, so a CPU that looks
 * into the queue without pause cannot keep another one from it; and the queue serves threads in the
 * order in which they were put, so a thread waits for one turn of each other at most. The lock is
 * held for a few instructions, never while a thread runs. tests/spin/runqueue.pml is the model.
 */
struct runqueue {
	uint32_t
	    work; /* written under the lock, read without: threads queued, and the flags below */
	struct spinlock lock;
	uint32_t first; /* the oldest is at slot[first % RUNQUEUE_SLOTS] */
	uint16_t slot[RUNQUEUE_SLOTS];
};

/* In `work`: somebody wants each look, though nothing is queued: timers, and wake-ups. */
#define RUNQUEUE_POLL  (UINT32_C(1) << 31)
#define RUNQUEUE_WAKE  (UINT32_C(1) << 30)
#define RUNQUEUE_FLAGS (RUNQUEUE_POLL | RUNQUEUE_WAKE)

/* Is there anything to do? One load: what an exit pays when there is not. */
static inline bool runqueue_has_work(const struct runqueue *q)
{
	return __atomic_load_n(&q->work, __ATOMIC_RELAXED) != 0;
}

/* How many threads wait for their turn. */
static inline uint32_t runqueue_queued(const struct runqueue *q)
{
	return __atomic_load_n(&q->work, __ATOMIC_RELAXED) & ~RUNQUEUE_FLAGS;
}

/*
 * Append thread `id`, below RUNQUEUE_SLOTS, which is not in the queue: the caller has moved its
 * state to "runs", and its registers are saved. Context: any CPU, not from the NMI handler.
 */
void runqueue_put(struct runqueue *q, unsigned id);
/* Take the oldest, or -1. What its last runner wrote is seen. Context: as runqueue_put(). */
int runqueue_take(struct runqueue *q);
/* The same, and it stays there: another CPU may take it behind this. Context: as runqueue_put(). */
int runqueue_oldest(struct runqueue *q);
/* Set or clear one of RUNQUEUE_FLAGS. Context: as runqueue_put(). */
void runqueue_ask(struct runqueue *q, uint32_t flag, bool on);
