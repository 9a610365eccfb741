/* The queue of threads that can run: first in, first out, shared by all CPUs. Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/runqueue.h"

static uint32_t load(const struct runqueue *q)
{
	return __atomic_load_n(&q->work, __ATOMIC_RELAXED);
}

static void store(struct runqueue *q, uint32_t work)
{
	__atomic_store_n(&q->work, work, __ATOMIC_RELAXED);
}

void runqueue_put(struct runqueue *q, unsigned id)
{
	spinlock_take(&q->lock);
	q->slot[(q->first + runqueue_queued(q)) % RUNQUEUE_SLOTS] = (uint16_t)id;
	store(q, load(q) + 1);
	spinlock_release(&q->lock);
}

int runqueue_take(struct runqueue *q)
{
	int id = -1;

	if (runqueue_queued(q) == 0) /* the common case: no locked instruction */
		return -1;
	spinlock_take(&q->lock);
	if (runqueue_queued(q) > 0) { /* another CPU may have been faster */
		id = q->slot[q->first++ % RUNQUEUE_SLOTS];
		store(q, load(q) - 1);
	}
	spinlock_release(&q->lock);
	return id;
}

int runqueue_oldest(struct runqueue *q)
{
	int id;

	spinlock_take(&q->lock);
	id = runqueue_queued(q) ? q->slot[q->first % RUNQUEUE_SLOTS] : -1;
	spinlock_release(&q->lock);
	return id;
}

void runqueue_ask(struct runqueue *q, uint32_t flag, bool on)
{
	spinlock_take(&q->lock);
	store(q, on ? load(q) | flag : load(q) & ~flag);
	spinlock_release(&q->lock);
}
