/*
 * Reserved bits at each level of the walk: a page fault whose error code says so, for reads,
 * writes, and from both rings. The bits: addresses that the CPU does not have, and below a large
 * page.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

SNIPPET(reserved_read, 64, "movq (%rdi), %rax");

static void one(uint64_t virt, unsigned level, unsigned bit, const char *name)
{
	struct snippet s = {.mode = MODE_USER64,
			    .code = reserved_read,
			    .code_end = reserved_read_end,
			    .in = {.rdi = virt + 0x10}};
	uint64_t value = 0;

	*page_entry(virt, level) |= BIT(bit);
	write_cr3(read_cr3());
	CHECK_EQ(try_read(virt + 0x10, &value), VECTOR_PF, "%s level-%u bit-%u read", name, level,
		 bit);
	CHECK_EQ(tried_error(), 9, "%s level-%u bit-%u read error", name, level, bit);
	CHECK_EQ(read_cr2(), virt + 0x10, "%s level-%u bit-%u CR2", name, level, bit);
	CHECK_EQ(try_write(virt + 0x10, 1), VECTOR_PF, "%s level-%u bit-%u write", name, level,
		 bit);
	CHECK_EQ(tried_error(), 11, "%s level-%u bit-%u write error", name, level, bit);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_PF, "%s level-%u bit-%u user", name, level, bit);
	CHECK_EQ(s.out.error, 13, "%s level-%u bit-%u user error", name, level, bit);
	*page_entry(virt, level) &= ~BIT(bit);
	write_cr3(read_cr3());
	CHECK_EQ(try_read(virt + 0x10, &value), VECTOR_NONE, "%s level-%u bit-%u gone", name, level,
		 bit);
}

GUEST_CASE(walk_reserved, "SDM 3A 4.5.4 and 4.7, APM 2 5.3, 8.4.2")
{
	uint64_t virt = page_space(), flags = PAGE_P | PAGE_W | PAGE_U;
	unsigned bits = cpuid(0x80000008, 0).eax & 0xff;

	page_map(virt, (uintptr_t)page_alloc(), flags);
	for (unsigned level = 1; level <= 4; level++) {
		one(virt, level, bits, "small");
		one(virt, level, 51, "small");
	}
	/* no page is of 512 GiB */
	*page_entry(virt, 4) |= PAGE_LARGE;
	write_cr3(read_cr3());
	CHECK_EQ(try_read(virt, &(uint64_t){0}), VECTOR_PF, "PS at level 4");
	CHECK_EQ(tried_error(), 9, "PS at level 4 error");
	*page_entry(virt, 4) &= ~PAGE_LARGE;
	virt = page_space();
	page_map_large(virt, 0x800000, 2, flags);
	one(virt, 2, 13, "2 MiB");
	one(virt, 2, 20, "2 MiB");
	one(virt, 2, bits, "2 MiB");
	if (cpuid(0x80000001, 0).edx & BIT(26)) {
		virt = page_space();
		page_map_large(virt, 0, 3, flags);
		one(virt, 3, 13, "1 GiB");
		one(virt, 3, 29, "1 GiB");
		one(virt, 3, bits, "1 GiB");
	}
}
