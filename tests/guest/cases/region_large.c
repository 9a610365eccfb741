/*
 * The VMM's memory in pages of 2 MiB and of 1 GiB of the guest's, which hold the guest's own memory
 * as well: a nested table that is split wrongly shows here (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static void look(uint64_t at, const struct region *r, const char *name)
{
	for (uint64_t n = r->base; n < r->end; n += 0x1ff8) {
		volatile uint64_t *p = (volatile uint64_t *)(at + (n & ~UINT64_C(7)));
		uint64_t was = *p;

		*p = 0;
		if (was != REGION_ONES || *p != REGION_ONES) {
			CHECK_EQ(*p, REGION_ONES, "%s", name);
			return;
		}
	}
	CHECK(true, "%s", name);
}

GUEST_CASE(region_large, "SDM 3A 4.5, APM 2 5.3.4; the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();
	uint64_t virt = page_space(), own = r.base - 8;
	uint64_t was = *(volatile uint64_t *)own;

	/* virt + n is the address n */
	for (uint64_t n = 0; n < BIT(30); n += BIT(21))
		page_map_large(virt + n, n, 2, PAGE_P | PAGE_W);
	look(virt, &r, "2 MiB");
	*(volatile uint64_t *)(virt + own) = 0x1122334455667788;
	CHECK_EQ(*(volatile uint64_t *)own, 0x1122334455667788, "2 MiB: the guest's own");
	if (cpuid(0x80000001, 0).edx & BIT(26)) {
		virt = page_space();
		page_map_large(virt, 0, 3, PAGE_P | PAGE_W);
		page_map_large(virt + BIT(30), BIT(30), 3, PAGE_P | PAGE_W);
		look(virt, &r, "1 GiB");
		CHECK_EQ(*(volatile uint64_t *)(virt + own), 0x1122334455667788,
			 "1 GiB: the guest's own");
		*(volatile uint64_t *)(virt + own) = 5;
		CHECK_EQ(*(volatile uint64_t *)own, 5, "1 GiB: the guest's own, written");
	}
	*(volatile uint64_t *)own = was;
	region_check(&r, "end");
}
