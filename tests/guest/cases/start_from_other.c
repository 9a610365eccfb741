/* Other CPUs than the boot CPU start CPUs, two at once the same one: each start is whole, and the
 * CPU runs when both are done (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS 30u

static void restart(void *arg)
{
	unsigned target = (unsigned)(uintptr_t)arg;

	for (unsigned n = 0; n < ROUNDS; n++) {
		uint32_t started = cpu_state(target)->started;

		apic_send(target, APIC_ICR_INIT);
		apic_send(target, APIC_ICR_SIPI | 8);
		for (unsigned turn = 0; turn < 20000 && cpu_state(target)->started == started;
		     turn++)
			cpu_relax();
	}
}

GUEST_CASE(start_from_other, "SDM 3A 9.4.3, APM 2 16.5", .cpus = 4)
{
	unsigned target = cpu_count() - 1;
	uint32_t started = cpu_state(target)->started;

	cpu_copy_start(0x8000);
	cpu_call(1, restart, (void *)(uintptr_t)target);
	CHECK_EQ(cpu_state(target)->started, started + ROUNDS, "one CPU");
	cpu_start(1, restart, (void *)(uintptr_t)target);
	cpu_start(2, restart, (void *)(uintptr_t)target);
	cpu_wait(1);
	cpu_wait(2);
	/* an INIT of the one may have hit the start of the other: the last SIPI stands */
	CHECK(cpu_state(target)->started - started - ROUNDS >= ROUNDS, "two CPUs");
	CHECK(cpu_beats(target), "beats");
	CHECK(cpu_beats(1), "beats of the first");
	CHECK(cpu_beats(2), "beats of the second");
}
