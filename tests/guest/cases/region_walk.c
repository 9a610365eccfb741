/*
 * Page tables in the VMM's memory, at each level: the walk reads entries of ones, which have
 * reserved bits set, so every access is a page fault that says so; nothing is written there as an
 * accessed or dirty flag (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

#define ERROR_P    1u
#define ERROR_W    2u
#define ERROR_RSVD 8u

SNIPPET(walk_call, 64, "call *%rdi");

GUEST_CASE(region_walk, "SDM 3A 4.5.4 and 4.7, APM 2 15.25.5; Documentation/memory-map.md")
{
	struct region r = region_like();

	for (unsigned level = 2; level <= 4; level++) {
		uint64_t virt = page_space(), value = 0;
		struct snippet s = {.code = walk_call, .code_end = walk_call_end};

		/* the table that this level's entry points at */
		*page_entry(virt, level) = (r.base + 0x6000) | PAGE_P | PAGE_W | PAGE_U;
		page_flush(virt);
		CHECK_EQ(try_read(virt, &value), VECTOR_PF, "level-%u read vector", level);
		CHECK_EQ(tried_error(), ERROR_P | ERROR_RSVD, "level-%u read error", level);
		CHECK_EQ(read_cr2(), virt, "level-%u read CR2", level);
		CHECK_EQ(try_write(virt + 0x1238, 5), VECTOR_PF, "level-%u write vector", level);
		CHECK_EQ(tried_error(), ERROR_P | ERROR_W | ERROR_RSVD, "level-%u write error",
			 level);
		CHECK_EQ(read_cr2(), virt + 0x1238, "level-%u write CR2", level);
		s.in.rdi = virt;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_PF, "level-%u fetch vector", level);
		CHECK_EQ(s.out.error & (ERROR_P | ERROR_W | ERROR_RSVD), ERROR_P | ERROR_RSVD,
			 "level-%u fetch error", level);
		CHECK_EQ(s.cr2, virt, "level-%u fetch CR2", level);
	}
	region_check(&r, "end");
}
