/*
 * INIT and start-up IPIs: each way to address them, vectors, a second SIPI, a SIPI without INIT,
 * many restarts. The VMM must have the CPU back each time, and the guest must not notice (bug class
 * 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PAGE_A 0x8000u
#define PAGE_B 0x9000u
#define TURNS  20000 /* of a loop: enough for what must not happen to happen */

static void idle(unsigned turns)
{
	for (unsigned n = 0; n < turns; n++)
		cpu_relax();
}

static bool beats(unsigned cpu)
{
	uint32_t before = cpu_state(cpu)->beats;

	for (unsigned n = 0; n < 100 * TURNS; n++) {
		if (cpu_state(cpu)->beats != before)
			return true;
		cpu_relax();
	}
	return false;
}

static void one(unsigned cpu)
{
	volatile struct cpu_state *s = cpu_state(cpu);
	uint32_t started = s->started, stopped;

	/* SIPI to a CPU that does not wait for it: no effect */
	apic_send(cpu, APIC_ICR_SIPI | PAGE_A >> 12);
	CHECK(beats(cpu), "CPU %u runs on", cpu);
	CHECK_EQ(s->started, started, "CPU %u SIPI alone", cpu);
	/* INIT stops it */
	apic_send(cpu, APIC_ICR_INIT);
	idle(TURNS);
	stopped = s->beats;
	idle(TURNS);
	CHECK_EQ(s->beats, stopped, "CPU %u stopped", cpu);
	CHECK_EQ(s->started, started, "CPU %u INIT alone", cpu);
	/* and again, while it waits: no effect */
	apic_send(cpu, APIC_ICR_INIT);
	apic_send(cpu, APIC_ICR_SIPI | PAGE_B >> 12);
	CHECK(cpu_wait_for(&s->started, started + 1), "CPU %u started", cpu);
	CHECK_EQ(s->start_cs, PAGE_B >> 4, "CPU %u CS", cpu);
	/* the second SIPI of the usual sequence: ignored */
	apic_send(cpu, APIC_ICR_SIPI | PAGE_A >> 12);
	idle(TURNS);
	CHECK(beats(cpu), "CPU %u beats", cpu);
	CHECK_EQ(s->started, started + 1, "CPU %u started once", cpu);
}

GUEST_CASE(startup, "SDM 3A 9.4, SDM 3A 11.6.1, APM 2 16.5", .cpus = 2)
{
	uint32_t before[CPUS_MAX], restarts = (uint32_t)word_number("restarts", 100);

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
		CHECK(beats(cpu), "all: CPU %u beats", cpu);
		CHECK_EQ(cpu_state(cpu)->started, before[cpu] + 1, "all: CPU %u once", cpu);
	}
	/* on and on, on the last CPU */
	unsigned last = cpu_count() - 1, n;

	for (n = 0; n < restarts; n++) {
		uint32_t started = cpu_state(last)->started;

		apic_send(last, APIC_ICR_INIT);
		apic_send(last, APIC_ICR_SIPI | PAGE_A >> 12);
		if (!cpu_wait_for(&cpu_state(last)->started, started + 1))
			break;
	}
	CHECK_EQ(n, restarts, "restarts");
	CHECK(beats(last), "restarts: beats");
}
