/*
 * Physical addresses that differ from the VMM's memory in one bit, up to the last one that the CPU
 * has: they are the guest's RAM, or nothing, and what is written there is not in the VMM's memory
 * (bug class 31). A bit that is dropped on the way to the nested tables would show.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define MARK UINT64_C(0x5ca1ab1e0ddba11)

static bool is_ram(uint64_t phys)
{
	for (uint32_t i = 0; i < boot_block.count; i++) {
		const struct memory_range *m = &boot_block.memory[i];

		if (m->type == MEMORY_RAM && phys >= m->base && phys + 8 <= m->base + m->length)
			return true;
	}
	return false;
}

GUEST_CASE(region_mirror, "the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();
	unsigned bits = cpuid(0x80000008, 0).eax & 0xff, ram = 0, none = 0;
	uint64_t virt = page_space(), size = 1;

	while (size < r.end - r.base)
		size *= 2;
	for (unsigned bit = 0; bit < bits; bit++) {
		uint64_t phys = (r.base + 0x1000) ^ BIT(bit);
		volatile uint64_t *at = (volatile uint64_t *)(virt + phys % 4096), before;

		if (BIT(bit) < size || (phys < BIT(32) && !is_ram(phys)))
			continue; /* the VMM's own, or devices */
		page_map(virt, phys & ~UINT64_C(4095), PAGE_P | PAGE_W);
		page_flush(virt);
		before = *at;
		*at = MARK;
		if (is_ram(phys)) {
			CHECK_EQ(*at, MARK, "bit %u RAM", bit);
			*at = before;
			ram++;
		} else {
			CHECK(*at == before, "bit %u nothing", bit);
			none++;
		}
		CHECK_EQ(*(volatile uint64_t *)(r.base + 0x1000), REGION_ONES, "bit %u region",
			 bit);
	}
	CHECK(ram + none > 5, "addresses");
	region_check(&r, "end");
}
