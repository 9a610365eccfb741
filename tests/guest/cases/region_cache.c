/*
 * Instructions that work on the line or the translation of an address, in the VMM's memory: they do
 * what they do elsewhere, and it stays as it is.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define LINE(text)                                                                                 \
	do {                                                                                       \
		__asm__ volatile(TRY(text) : : "r"(at), "a"(at), "c"(0), "d"(0) : "memory");       \
		CHECK_EQ(tried(), VECTOR_NONE, "%s vector", text);                                 \
		CHECK_EQ(*(volatile uint64_t *)at, REGION_ONES, "%s", text);                       \
	} while (0)

GUEST_CASE(region_cache,
	   "SDM 2A CLFLUSH, INVLPG, SDM 2B MONITOR, PREFETCHh; Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t at = r.base + 0x8040;
	struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0);

	LINE("prefetcht0 (%0)");
	LINE("prefetchnta (%0)");
	LINE("invlpg (%0)");
	LINE("wbinvd");
	LINE("invd");
	if (cpuid(0x80000001, 0).ecx & BIT(8))
		LINE("prefetchw (%0)");
	if (one.edx & BIT(19))
		LINE("clflush (%0)");
	if (seven.ebx & BIT(23))
		LINE("clflushopt (%0)");
	if (one.ecx & BIT(3))
		LINE("monitor");
	region_check(&r, "end");
}
