/*
 * NMIs that the guest sends arrive once each, also while its instructions exit; a second one waits
 * for the handler's IRET (bug class 24).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define COUNT 100
#define LIMIT 100000 /* exits until an NMI counts as lost */

static volatile uint32_t seen[CPUS_MAX], depth, deepest, again;

static bool handler(struct frame *f)
{
	unsigned cpu = cpu_index();

	(void)f;
	if (cpu == 0) {
		depth++;
		if (depth > deepest)
			deepest = depth;
		if (again) {
			again--;
			apic_send(0, APIC_ICR_NMI);
			for (unsigned n = 0; n < 200; n++)
				cpuid(0, 0);
		}
		depth--;
	}
	seen[cpu]++;
	return true;
}

static bool wait(unsigned cpu, uint32_t want)
{
	for (unsigned n = 0; n < LIMIT && seen[cpu] < want; n++) {
		cpuid(0, 0);
		cpu_relax();
	}
	return seen[cpu] >= want;
}

static volatile uint32_t stop;

static void exits(void *arg)
{
	(void)arg;
	while (!stop) {
		cpuid(1, 0);
		cpu_relax();
	}
}

GUEST_CASE(nmi, "SDM 3A 6.7.1, APM 2 8.2.3")
{
	uint32_t before;

	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	trap_set(VECTOR_NMI, handler);
	for (unsigned n = 0; n < COUNT; n++) {
		apic_send(0, APIC_ICR_NMI);
		if (!wait(0, n + 1))
			break;
	}
	for (unsigned n = 0; n < 1000; n++)
		cpuid(0, 0);
	CHECK_EQ(seen[0], COUNT, "count");
	CHECK_EQ(deepest, 1, "depth");
	/* one more from inside of the handler: behind its IRET, neither earlier nor never */
	before = seen[0];
	again = 1;
	apic_send(0, APIC_ICR_NMI);
	wait(0, before + 2);
	CHECK_EQ(seen[0] - before, 2, "blocked count");
	CHECK_EQ(deepest, 1, "blocked depth");
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		stop = 0;
		cpu_start(cpu, exits, NULL);
		uint32_t lost = 0;

		for (unsigned n = 0; n < COUNT && lost < 3; n++) {
			apic_send(cpu, APIC_ICR_NMI);
			lost += !wait(cpu, n + 1 - lost);
		}
		stop = 1;
		cpu_wait(cpu);
		CHECK_EQ(lost, 0, "lost of CPU %u", cpu);
		CHECK_EQ(seen[cpu], COUNT, "count of CPU %u", cpu);
	}
}
