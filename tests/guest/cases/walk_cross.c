/*
 * An access over the border of two pages of which the second forbids it: the fault names the second
 * page, and nothing is written to the first; an instruction over such a border the same (bug class
 * 4).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

SNIPPET(cross_jump, 64, "jmp *%rdi");

GUEST_CASE(walk_cross, "SDM 3A 4.7 and 6.15 (#PF), APM 2 8.2.15")
{
	uint64_t virt = page_space(), next = virt + 4096, value = 0;
	uint8_t *own = page_alloc();
	struct snippet s = {.code = cross_jump, .code_end = cross_jump_end};

	memset(own, 0x5a, 4096);
	page_map(virt, (uintptr_t)own, PAGE_P | PAGE_W | PAGE_U);
	for (unsigned below = 1; below < 8; below++) {
		CHECK_EQ(try_read(next - below, &value), VECTOR_PF, "read-%u", below);
		CHECK_EQ(tried_error(), 0, "read-%u error", below);
		CHECK_EQ(read_cr2(), next, "read-%u CR2", below);
		CHECK_EQ(try_write(next - below, 0), VECTOR_PF, "write-%u", below);
		CHECK_EQ(tried_error(), 2, "write-%u error", below);
		CHECK_EQ(read_cr2(), next, "write-%u CR2", below);
	}
	CHECK_EQ(own[4095] | own[4089], 0x5a, "nothing written");
	page_map(next, (uintptr_t)page_alloc(), PAGE_P);
	CHECK_EQ(try_write(next - 4, 0), VECTOR_PF, "read-only write");
	CHECK_EQ(tried_error(), 3, "read-only error");
	CHECK_EQ(own[4092], 0x5a, "read-only: nothing written");
	page_map(next, 0, 0);
	/* CPUID, which exits, and MOV of an immediate: the second byte is on the absent page */
	own[4095] = 0x0f;
	s.in.rdi = next - 1;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_PF, "fetch vector");
	CHECK_EQ(s.out.rip, next - 1, "fetch RIP");
	CHECK_EQ(s.cr2, next, "fetch CR2");
	own[4094] = 0xb8;
	s.in.rdi = next - 2;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_PF, "immediate vector");
	CHECK_EQ(s.cr2, next, "immediate CR2");
	page_map(next, (uintptr_t)own, PAGE_P | PAGE_W | PAGE_U);
	own[4095] = 0x0f;
	own[0] = 0xa2;
	own[1] = 0x0f;
	own[2] = 0x0b;
	s.in.rdi = next - 1;
	s.in.rax = 0;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "CPUID over the border, then UD2");
	CHECK_EQ(s.out.rip, next + 1, "CPUID over the border RIP");
	CHECK_EQ(s.out.rbx, cpuid(0, 0).ebx, "CPUID over the border EBX");
}
