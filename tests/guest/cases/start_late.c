/* A CPU that got an INIT waits as long as it takes: fixed IPIs, NMIs and more INITs do not start
 * it, a much later SIPI does (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(start_late, "SDM 3A 9.4.3 and 11.4.7.3, APM 2 16.5", .cpus = 2)
{
	cpu_copy_start(0x8000);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		uint32_t started = cpu_state(cpu)->started;

		apic_send(cpu, APIC_ICR_INIT);
		for (unsigned n = 0; n < 5; n++) {
			apic_send(cpu, APIC_ICR_FIXED | 0x40);
			apic_send(cpu, APIC_ICR_NMI);
			CHECK(cpu_stands(cpu), "CPU %u stands %u", cpu, n);
			apic_send(cpu, APIC_ICR_INIT);
		}
		CHECK_EQ(cpu_state(cpu)->started, started, "CPU %u waits", cpu);
		apic_send(cpu, APIC_ICR_SIPI | 8);
		CHECK(cpu_wait_for(&cpu_state(cpu)->started, started + 1), "CPU %u starts", cpu);
		CHECK(cpu_beats(cpu), "CPU %u beats", cpu);
	}
}
