/*
 * SMEP and SMAP: at CPL 0 user pages are neither executed nor, but with RFLAGS.AC, accessed. The
 * VMM's own accesses for the guest follow the same rules; here are the CPU's, under nested paging.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

#define SMEP BIT(20)
#define SMAP BIT(21)

SNIPPET(smep_jump, 64, "jmp *%rdi");

GUEST_CASE(walk_smap, "SDM 3A 4.6.1, APM 2 5.6.5, 5.6.6")
{
	uint32_t has = cpuid(7, 0).ebx;
	uint64_t virt = page_space(), cr4 = read_cr4(), user = PAGE_P | PAGE_W | PAGE_U, value;
	struct snippet s = {.code = smep_jump, .code_end = smep_jump_end};
	unsigned read, with_ac, write;
	uint64_t read_error;

	if (!(has & BIT(7)) || !(has & BIT(20)))
		case_skip("no SMEP, no SMAP");
	page_map(virt, (uintptr_t)page_alloc(), user);
	/* the kernel runs in user pages: a window of supervisor pages for its first 16 MiB */
	for (uint64_t n = 0; n < 8; n++)
		*page_entry(n << 21, 2) &= ~PAGE_U;
	write_cr3(read_cr3());
	write_cr4(cr4 | SMEP | SMAP);
	value = 0;
	read = try_read(virt, &value);
	read_error = tried_error();
	write = try_write(virt, 1);
	__asm__ volatile("stac");
	with_ac = try_read(virt, &value);
	__asm__ volatile("clac");
	s.in.rdi = virt;
	snippet_run(&s); /* its page is at 128 KiB */
	write_cr4(cr4);
	for (uint64_t n = 0; n < 8; n++)
		*page_entry(n << 21, 2) |= PAGE_U;
	write_cr3(read_cr3());
	CHECK_EQ(read, VECTOR_PF, "SMAP read");
	CHECK_EQ(read_error, 1, "SMAP read error");
	CHECK_EQ(write, VECTOR_PF, "SMAP write");
	CHECK_EQ(with_ac, VECTOR_NONE, "SMAP with AC");
	CHECK_EQ(s.out.vector, VECTOR_PF, "SMEP fetch");
	CHECK_EQ(s.out.error, 0x11, "SMEP fetch error");
	CHECK_EQ(s.cr2, virt, "SMEP fetch CR2");
}
