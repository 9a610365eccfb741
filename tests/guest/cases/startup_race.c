/*
 * INIT and start-up IPI without any time between them, to all CPUs in turn: the start-up IPI finds
 * a CPU that is just taking the INIT, and must not be lost (bug class 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS 100u

GUEST_CASE(startup_race, "SDM 3A 9.4.3, APM 2 16.5", .cpus = 2)
{
	uint32_t before[CPUS_MAX];
	unsigned n, late = 0;

	cpu_copy_start(0x8000);
	for (n = 0; n < ROUNDS && !late; n++) {
		for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
			before[cpu] = cpu_state(cpu)->started;
			apic_write(APIC_ICR_HIGH, cpu << 24);
			apic_write(APIC_ICR_LOW, APIC_ICR_INIT);
			apic_write(APIC_ICR_LOW, APIC_ICR_SIPI | 8);
			apic_write(APIC_ICR_LOW, APIC_ICR_SIPI | 8);
		}
		for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
			late += !cpu_wait_for(&cpu_state(cpu)->started, before[cpu] + 1);
	}
	CHECK_EQ(n, ROUNDS, "rounds");
	CHECK_EQ(late, 0, "CPUs that did not start, or twice");
}
