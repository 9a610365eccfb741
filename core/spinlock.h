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

/*
 * Take it only if nobody has it, and nobody waits. As cas32() of core/cas.h, but inline: lean exits
 * try locks. SETcc stands in the assembly, so that no jump takes its place.
 */
static inline bool spinlock_try(struct spinlock *l)
{
	uint32_t ticket = __atomic_load_n(&l->owner, __ATOMIC_RELAXED), next = ticket + 1;
	bool taken;

	__asm__ volatile("lock cmpxchgl %3, %1\n\tsete %0"
			 : "=q"(taken), "+m"(l->next), "+a"(ticket)
			 : "r"(next)
			 : "cc", "memory");
	return taken;
}

static inline void spinlock_release(struct spinlock *l)
{
	/* a store is a release (SDM 3A 9.2.2), and nobody else writes this one */
	__asm__ volatile("incl %0" : "+m"(l->owner) : : "cc", "memory");
}
