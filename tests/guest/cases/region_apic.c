/*
 * The local APIC's registers cannot be put over the VMM's memory, where the CPU itself would find
 * them in place of its code: the base is refused, for every page of it, and taken beside it.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(region_apic,
	   "SDM 3A 11.4.5, APM 2 16.3.1; the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t base = rdmsr(MSR_APIC_BASE), flags = base & 0xfff, n;

	for (n = r.base; n < r.end; n += 4096) {
		if (wrmsr_try(MSR_APIC_BASE, n | flags) != VECTOR_GP ||
		    rdmsr(MSR_APIC_BASE) != base)
			break;
	}
	CHECK_EQ(n, r.end, "pages that are refused");
	CHECK_EQ(wrmsr_try(MSR_APIC_BASE, r.end | flags), VECTOR_NONE, "behind it");
	wrmsr(MSR_APIC_BASE, base);
	CHECK_EQ(wrmsr_try(MSR_APIC_BASE, (r.base - 4096) | flags), VECTOR_NONE, "in front of it");
	wrmsr(MSR_APIC_BASE, base);
	CHECK_EQ(apic_read(APIC_ID) >> 24, 0, "the APIC");
	region_check(&r, "end");
}
