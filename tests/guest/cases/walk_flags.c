/*
 * Accessed and dirty flags under nested paging: a read sets A at every level, a write D at the
 * last, an access that faults sets no D; large pages the same (SDM 3C 29.3.5 has more of them).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

static void clear(uint64_t virt, unsigned leaf)
{
	for (unsigned level = leaf; level <= 4; level++)
		*page_entry(virt, level) &= ~(PAGE_ACCESSED | PAGE_DIRTY);
	write_cr3(read_cr3());
}

static void look(uint64_t virt, unsigned leaf, uint64_t flags, const char *name)
{
	for (unsigned level = leaf; level <= 4; level++) {
		uint64_t got = *page_entry(virt, level) & (PAGE_ACCESSED | PAGE_DIRTY);

		/* D of an entry that leads to a table is ignored */
		if (level > leaf)
			got &= PAGE_ACCESSED;
		CHECK_EQ(got, level > leaf ? flags & PAGE_ACCESSED : flags, "%s level-%u of %u",
			 name, level, leaf);
	}
}

GUEST_CASE(walk_flags, "SDM 3A 4.8, APM 2 5.4.2")
{
	unsigned levels = cpuid(0x80000001, 0).edx & BIT(26) ? 3 : 2;

	for (unsigned leaf = 1; leaf <= levels; leaf++) {
		uint64_t virt = page_space(), value = 0;
		/* 2 MiB and 1 GiB pages: what is at 8 MiB is the kernel's own */
		uint64_t offset = leaf == 1 ? 0 : leaf == 2 ? 0 : 8 << 20;
		volatile uint64_t *own = leaf == 1 ? page_alloc() : (void *)(uintptr_t)(8 << 20);

		page_map_large(virt, leaf == 3 ? 0 : (uintptr_t)own, leaf, PAGE_P | PAGE_W);
		clear(virt, leaf);
		try_read(virt + offset, &value);
		look(virt, leaf, PAGE_ACCESSED, "read");
		clear(virt, leaf);
		*(volatile uint64_t *)(virt + offset) = value;
		look(virt, leaf, PAGE_ACCESSED | PAGE_DIRTY, "write");
		*page_entry(virt, leaf) &= ~PAGE_W;
		clear(virt, leaf);
		CHECK_EQ(try_write(virt + offset, 1), VECTOR_PF, "refused of %u", leaf);
		CHECK_EQ(*page_entry(virt, leaf) & PAGE_DIRTY, 0, "refused dirty of %u", leaf);
		*page_entry(virt, leaf) |= PAGE_W;
		/* a read that is cached, then a write: D is set all the same */
		clear(virt, leaf);
		try_read(virt + offset, &value);
		*(volatile uint64_t *)(virt + offset) = value;
		look(virt, leaf, PAGE_ACCESSED | PAGE_DIRTY, "write after read");
	}
}
