/*
 * A CPU that waits for its start-up IPI ignores NMIs: none is delivered behind it, and one that is
 * sent when the CPU runs again comes (bug classes 24 and 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint32_t seen[CPUS_MAX];

static bool handler(struct frame *f)
{
	(void)f;
	seen[cpu_index()]++;
	return true;
}

GUEST_CASE(startup_nmi, "SDM 3A 9.4.3, SDM 3A 6.7.1", .cpus = 2)
{
	unsigned last = cpu_count() - 1;

	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	trap_set(VECTOR_NMI, handler);
	cpu_copy_start(0x8000);
	for (unsigned n = 0; n < 20; n++) {
		uint32_t started = cpu_state(last)->started;

		apic_send(last, APIC_ICR_INIT);
		apic_send(last, APIC_ICR_NMI);
		apic_send(0, APIC_ICR_OTHERS | APIC_ICR_NMI); /* the other ones get it */
		apic_send(last, APIC_ICR_SIPI | 8);
		cpu_wait_for(&cpu_state(last)->started, started + 1);
		for (unsigned turn = 0; turn < 1000; turn++)
			cpu_relax();
	}
	CHECK_EQ(seen[last], 0, "while it waits");
	CHECK_EQ(seen[0], 0, "sender");
	apic_send(last, APIC_ICR_NMI);
	CHECK(cpu_wait_for(&seen[last], 1), "when it runs");
	/* behind the start-up IPI, before its first instruction is known to be done, either is
	 * right; it must start */
	uint32_t started = cpu_state(last)->started;

	apic_send(last, APIC_ICR_NMI);
	apic_send(last, APIC_ICR_INIT);
	apic_send(last, APIC_ICR_SIPI | 8);
	CHECK(cpu_wait_for(&cpu_state(last)->started, started + 1), "NMI in front of INIT");
}
