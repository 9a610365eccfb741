/*
 * INIT and start-up IPIs: a SIPI without INIT, an INIT alone and another one, a second SIPI; one
 * CPU and all others at once. The VMM must have the CPU back each time, and the guest must not
 * notice (bug class 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PAGE_A 0x8000u
#define PAGE_B 0x9000u

static void one(unsigned cpu)
{
	volatile struct cpu_state *s = cpu_state(cpu);
	uint32_t started = s->started;

	/* SIPI to a CPU that does not wait for it: no effect */
	apic_send(cpu, APIC_ICR_SIPI | PAGE_A >> 12);
	CHECK(cpu_beats(cpu), "CPU %u runs on", cpu);
	CHECK_EQ(s->started, started, "CPU %u SIPI alone", cpu);
	/* INIT stops it */
	apic_send(cpu, APIC_ICR_INIT);
	CHECK(cpu_stands(cpu), "CPU %u stopped", cpu);
	CHECK_EQ(s->started, started, "CPU %u INIT alone", cpu);
	/* and again, while it waits: no effect */
	apic_send(cpu, APIC_ICR_INIT);
	apic_send(cpu, APIC_ICR_SIPI | PAGE_B >> 12);
	CHECK(cpu_wait_for(&s->started, started + 1), "CPU %u started", cpu);
	CHECK_EQ(s->start_cs, PAGE_B >> 4, "CPU %u CS", cpu);
	/* the second SIPI of the usual sequence: ignored */
	apic_send(cpu, APIC_ICR_SIPI | PAGE_A >> 12);
	CHECK(cpu_beats(cpu), "CPU %u beats", cpu);
	CHECK_EQ(s->started, started + 1, "CPU %u started once", cpu);
}

GUEST_CASE(startup, "SDM 3A 9.4, SDM 3A 11.6.1, APM 2 16.5", .cpus = 2)
{
	uint32_t before[CPUS_MAX];

	cpu_copy_start(PAGE_A);
	cpu_copy_start(PAGE_B);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		one(cpu);
	/* all others at once */
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		before[cpu] = cpu_state(cpu)->started;
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_INIT);
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_SIPI | PAGE_A >> 12);
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_SIPI | PAGE_A >> 12);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_wait_for(&cpu_state(cpu)->started, before[cpu] + 1), "all: CPU %u", cpu);
		CHECK(cpu_beats(cpu), "all: CPU %u beats", cpu);
		CHECK_EQ(cpu_state(cpu)->started, before[cpu] + 1, "all: CPU %u once", cpu);
	}
}
