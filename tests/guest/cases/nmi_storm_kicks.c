/* NMIs of two CPUs to a third that moves its APIC all the while, and each move makes the VMM stop
 * all CPUs by NMIs of its own: those are nobody's, and none of the guest's is lost in them (bug
 * class 24). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static void turn(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, (base & 0xfff) | 0xfea00000); /* nothing is there */
	wrmsr(MSR_APIC_BASE, base);
}

GUEST_CASE(nmi_storm_kicks, "SDM 3A 6.7.1, APM 2 8.2.3", .cpus = 3)
{
	nmi_storm(1, turn);
}
