/* Each other CPU is started again and again (word restarts=N), and afterwards it is still under the
 * VMM (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint64_t seen;

static void look(void *arg)
{
	seen = *(volatile uint64_t *)arg;
}

GUEST_CASE(start_many, "SDM 3A 9.4, APM 2 16.5", .cpus = 2)
{
	uint32_t restarts = (uint32_t)word_number("restarts", 1000);
	uint64_t end, hole = memory_missing(&end);

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
		seen = ~UINT64_C(0); /* without the VMM there is nothing to look at */
		if (hole)
			cpu_call(cpu, look, (void *)hole);
		CHECK_EQ(seen, ~UINT64_C(0), "CPU %u: the VMM's memory", cpu);
	}
}
