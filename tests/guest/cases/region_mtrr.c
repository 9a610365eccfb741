/*
 * Memory types that the guest gives to the VMM's memory: every type that there is, in each variable
 * register, as default type, and with all MTRRs off. It keeps reading as ones, and the VMM's code
 * runs on (bug class 13; the VMM keeps the machine's types for itself).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define CAP  0xfeu
#define TYPE 0x2ffu

GUEST_CASE(region_mtrr, "SDM 3A 12.11, APM 2 7.7; the VMM's promise: Documentation/memory-map.md")
{
	static const uint8_t types[] = {0, 1, 4, 5, 6};
	struct region r = region_get();
	uint64_t type = rdmsr(TYPE),
		 mask = (BIT(cpuid(0x80000008, 0).eax & 0xff) - 1) & ~(BIT(24) - 1);
	unsigned count = rdmsr(CAP) & 0xff;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t msr = 0x200 + 2 * i;
		uint64_t base = rdmsr(msr), old = rdmsr(msr + 1);

		for (unsigned t = 0; t < sizeof(types); t++) {
			wrmsr(msr, (r.base & mask) | types[t]);
			wrmsr(msr + 1, mask | BIT(11));
			*(volatile uint64_t *)(r.base + 8 * t) = 0;
			__asm__ volatile("wbinvd" : : : "memory");
			CHECK_EQ(*(volatile uint64_t *)(r.base + 8 * t), REGION_ONES,
				 "register-%u type-%u", i, types[t]);
		}
		wrmsr(msr + 1, old);
		wrmsr(msr, base);
	}
	for (unsigned t = 0; t < sizeof(types); t++) {
		wrmsr(TYPE, (type & ~UINT64_C(0xff)) | types[t]);
		*(volatile uint64_t *)r.base = 0;
		CHECK_EQ(*(volatile uint64_t *)r.base, REGION_ONES, "default type-%u", types[t]);
	}
	wrmsr(TYPE, 0);
	CHECK_EQ(*(volatile uint64_t *)r.base, REGION_ONES, "MTRRs off");
	wrmsr(TYPE, type);
	region_check(&r, "end");
}
