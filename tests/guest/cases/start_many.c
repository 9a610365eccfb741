/* Each other CPU is started again and again (word restarts=N), and each time it is under the VMM,
 * which the kernel looks at (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(start_many, "SDM 3A 9.4, APM 2 16.5", .cpus = 2)
{
	uint32_t restarts = (uint32_t)word_number("restarts", 1000);

	cpu_copy_start(0x8000);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		uint32_t n;

		for (n = 0; n < restarts; n++) {
			uint32_t started = cpu_state(cpu)->started;

			apic_send(cpu, APIC_ICR_INIT);
			apic_send(cpu, APIC_ICR_SIPI | 8);
			apic_send(cpu, APIC_ICR_SIPI | 8);
			if (!cpu_wait_for(&cpu_state(cpu)->started, started + 1))
				break;
		}
		CHECK_EQ(n, restarts, "CPU %u restarts", cpu);
		CHECK(cpu_beats(cpu), "CPU %u beats", cpu);
	}
}
