/* Start-up IPIs to all: by the physical destination 0xff they start all that wait and leave who
 * runs, the sender among them, alone; by a shorthand that names the sender nothing is started at
 * all (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TO_SELF 0x40000u
#define TO_ALL  0x80000u

GUEST_CASE(start_all, "SDM 3A 11.6.1 (table 11-3), 9.4.3; APM 2 16.5", .cpus = 2)
{
	uint32_t before[CPUS_MAX];

	cpu_copy_start(0x8000);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		before[cpu] = cpu_state(cpu)->started;
	apic_send(0xff, APIC_ICR_SIPI | 9);
	apic_send(0, APIC_ICR_SIPI | 9);
	apic_send(0, APIC_ICR_SIPI | TO_SELF | 9);
	apic_send(0, APIC_ICR_SIPI | TO_ALL | 9);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_beats(cpu), "CPU %u runs on", cpu);
		CHECK_EQ(cpu_state(cpu)->started, before[cpu], "CPU %u is not started", cpu);
	}
	apic_send(0, APIC_ICR_OTHERS | APIC_ICR_INIT);
	apic_send(0xff, APIC_ICR_SIPI | 8);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_wait_for(&cpu_state(cpu)->started, before[cpu] + 1), "CPU %u starts",
		      cpu);
		CHECK(cpu_beats(cpu), "CPU %u beats", cpu);
		CHECK_EQ(cpu_state(cpu)->started, before[cpu] + 1, "CPU %u once", cpu);
	}
}
