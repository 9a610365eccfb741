/*
 * Rights at each level of the walk: write and user must be granted by all four, at CPL 3 and at CPL
 * 0 with CR0.WP; error codes tell what was tried.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

SNIPPET(rights_load, 64, "movq (%rdi), %rax");
SNIPPET(rights_store, 64, "movq %rax, (%rdi)");
SNIPPET(rights_update, 64, "lock addq $0, (%rdi)");

static void user(uint64_t virt, const uint8_t *code, const uint8_t *end, uint64_t error,
		 const char *name, unsigned level)
{
	struct snippet s = {
	    .mode = MODE_USER64, .code = code, .code_end = end, .in = {.rdi = virt + 8}};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, error ? VECTOR_PF : VECTOR_END, "level-%u %s vector", level, name);
	if (error && s.out.vector == VECTOR_PF) {
		CHECK_EQ(s.out.error, error, "level-%u %s error", level, name);
		CHECK_EQ(s.cr2, virt + 8, "level-%u %s CR2", level, name);
	}
}

#define USER(code, error, name) user(virt, code, code##_end, error, name, level)

GUEST_CASE(walk_rights, "SDM 3A 4.6 and 4.7, APM 2 5.6, 8.4.2")
{
	uint64_t virt = page_space(), cr0 = read_cr0(), value = 0;

	page_map(virt, (uintptr_t)page_alloc(), PAGE_P | PAGE_W | PAGE_U);
	for (unsigned level = 1; level <= 4; level++) {
		*page_entry(virt, level) &= ~PAGE_U;
		write_cr3(read_cr3());
		USER(rights_load, 5, "supervisor read");
		USER(rights_store, 7, "supervisor write");
		CHECK_EQ(try_write(virt + 8, 0), VECTOR_NONE, "level-%u supervisor", level);
		*page_entry(virt, level) = (*page_entry(virt, level) | PAGE_U) & ~PAGE_W;
		write_cr3(read_cr3());
		USER(rights_load, 0, "read-only read");
		USER(rights_store, 7, "read-only write");
		USER(rights_update, 7, "read-only update");
		CHECK_EQ(try_write(virt + 8, 0), VECTOR_PF, "level-%u read-only, WP", level);
		CHECK_EQ(tried_error(), 3, "level-%u read-only, WP error", level);
		write_cr0(cr0 & ~CR0_WP);
		CHECK_EQ(try_write(virt + 8, 0), VECTOR_NONE, "level-%u read-only, no WP", level);
		write_cr0(cr0);
		*page_entry(virt, level) = (*page_entry(virt, level) | PAGE_W) & ~PAGE_P;
		write_cr3(read_cr3());
		USER(rights_load, 4, "absent read");
		USER(rights_store, 6, "absent write");
		CHECK_EQ(try_read(virt + 8, &value), VECTOR_PF, "level-%u absent", level);
		CHECK_EQ(tried_error(), 0, "level-%u absent error", level);
		*page_entry(virt, level) |= PAGE_P;
	}
}
