/*
 * All CPUs at once write to the VMM's memory and read it, plain and locked, at the same place and
 * at places of their own: each read gives ones, and no CPU is held up (bug classes 10, 30, 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TURNS 2000u

static struct region where;
static volatile uint32_t wrong;

static void hammer(void *arg)
{
	uint64_t own = where.base + 0x1000 * (1 + cpu_index()), one;

	(void)arg;
	for (uint32_t n = 0; n < TURNS; n++) {
		*(volatile uint32_t *)(where.base + 4 * (n & 7)) = n;
		*(volatile uint64_t *)(own + 8 * (n & 63)) = n;
		one = 1;
		__asm__ volatile("lock xaddq %0, (%1)" : "+r"(one) : "r"(where.base) : "memory");
		if (one != REGION_ONES || *(volatile uint64_t *)own != REGION_ONES ||
		    *(volatile uint64_t *)(where.base + 8 * (n & 511)) != REGION_ONES)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
	}
}

GUEST_CASE(region_smp, "the VMM's promise: Documentation/memory-map.md", .cpus = 2)
{
	where = region_get();
	wrong = 0;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_start(cpu, hammer, NULL);
	hammer(NULL);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
	CHECK_EQ(wrong, 0, "reads that are not ones");
	region_check(&where, "end");
}
