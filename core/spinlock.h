/* Ticket lock: fair between CPUs. Taken with interrupts off, as all VMM code runs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
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

/* Take it only if nobody has it, and nobody waits. */
static inline bool spinlock_try(struct spinlock *l)
{
	uint32_t ticket = __atomic_load_n(&l->owner, __ATOMIC_RELAXED);

	return __atomic_compare_exchange_n(&l->next, &ticket, ticket + 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void spinlock_release(struct spinlock *l)
{
	/* a store is a release (SDM 3A 9.2.2), and nobody else writes this one */
	__asm__ volatile("incl %0" : "+m"(l->owner) : : "cc", "memory");
}
