/* Ticket lock: fair between CPUs. Taken with interrupts off, as all VMM code runs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

struct spinlock {
	uint32_t next, owner;
};

/* Take and release. Context: not from the NMI handler. Locks nest only in the order given where
 * they are defined. */
static inline void spinlock_take(struct spinlock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

static inline void spinlock_release(struct spinlock *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}
