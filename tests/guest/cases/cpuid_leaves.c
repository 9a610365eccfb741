/* All leaves and subleaves on each CPU, for the host to compare: what differs must be hidden on
 * purpose. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

/* Leaves with subleaves: SDM 2A CPUID, APM 3 appendix E. */
static unsigned subleaves(uint32_t leaf)
{
	switch (leaf) {
	case 4:
	case 7:
	case 0xb:
	case 0x10:
	case 0x12:
	case 0x14:
	case 0x17:
	case 0x18:
	case 0x1f:
	case 0x8000001d:
		return 4;
	case 0xd:
		return 20;
	default:
		return 1;
	}
}

static void leaf_values(unsigned cpu, uint32_t leaf)
{
	for (uint32_t sub = 0; sub < subleaves(leaf); sub++) {
		struct cpuid r = cpuid(leaf, sub);

		/* the initial APIC ID is here the CPU's own, elsewhere too: it may differ from CPU
		 * to CPU */
		if (r.eax | r.ebx | r.ecx | r.edx)
			case_value("%u %#x.%u %#x %#x %#x %#x", cpu, leaf, sub, r.eax, r.ebx, r.ecx,
				   r.edx);
	}
}

static void dump(void *arg)
{
	unsigned cpu = *(unsigned *)arg;

	for (unsigned extended = 0; extended < 2; extended++) {
		uint32_t base = extended << 31;

		for (uint32_t leaf = base; leaf <= cpuid(base, 0).eax && leaf < base + 0x100;
		     leaf++)
			leaf_values(cpu, leaf);
	}
}

GUEST_CASE(cpuid_leaves, "SDM 2A CPUID, APM 3 appendix E")
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (cpu == 0)
			dump(&cpu);
		else
			cpu_call(cpu, dump, &cpu);
	}
	/* beyond the highest Intel shows the highest basic leaf again, AMD nothing certain */
	if (cpuid(0, 0).ebx == 0x756e6547) { /* "Genu" */
		uint32_t last = cpuid(0, 0).eax;

		CHECK_EQ(cpuid(last + 1, 0).eax, cpuid(last, 0).eax, "beyond EAX");
		CHECK_EQ(cpuid(last + 1, 0).ebx, cpuid(last, 0).ebx, "beyond EBX");
	}
	/* OSXSAVE follows CR4 (SDM 2A CPUID, leaf 1) */
	if (cpuid(1, 0).ecx & BIT(26)) {
		CHECK_EQ(cpuid(1, 0).ecx >> 27 & 1, 0, "OSXSAVE off");
		write_cr4(read_cr4() | CR4_OSXSAVE);
		CHECK_EQ(cpuid(1, 0).ecx >> 27 & 1, 1, "OSXSAVE on");
	}
}
