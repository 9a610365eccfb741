/*
 * No-execute, at each level: a fetch is a page fault that says fetch, data can be read; without
 * EFER.NXE the bit is reserved (the VMM's own EFER always has NXE).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

SNIPPET(nx_call, 64, "call *%rdi");

static uint64_t run(struct snippet *s, enum mode mode, uint64_t virt)
{
	s->mode = mode;
	s->in.rdi = virt;
	snippet_run(s);
	return s->out.vector;
}

GUEST_CASE(walk_nx, "SDM 3A 4.6.1 and 4.7, APM 2 5.6.1")
{
	struct snippet s = {.code = nx_call, .code_end = nx_call_end};
	uint64_t virt = page_space(), efer = rdmsr(MSR_EFER), value = 0;
	uint8_t *own = page_alloc();

	if (!(cpuid(0x80000001, 0).edx & BIT(20)))
		case_skip("no NX");
	own[0] = 0xc3; /* RET */
	page_map(virt, (uintptr_t)own, PAGE_P | PAGE_W | PAGE_U);
	CHECK_EQ(run(&s, MODE_64, virt), VECTOR_END, "executable");
	wrmsr(MSR_EFER, efer | EFER_NXE);
	for (unsigned level = 1; level <= 4; level++) {
		*page_entry(virt, level) |= PAGE_NX;
		write_cr3(read_cr3());
		CHECK_EQ(run(&s, MODE_64, virt), VECTOR_PF, "level-%u vector", level);
		CHECK_EQ(s.out.error, 0x11, "level-%u error", level);
		CHECK_EQ(s.cr2, virt, "level-%u CR2", level);
		CHECK_EQ(s.out.rip, virt, "level-%u RIP", level);
		CHECK_EQ(run(&s, MODE_USER64, virt), VECTOR_PF, "level-%u user vector", level);
		CHECK_EQ(s.out.error, 0x15, "level-%u user error", level);
		CHECK_EQ(try_read(virt, &value), VECTOR_NONE, "level-%u read", level);
		wrmsr(MSR_EFER, efer & ~EFER_NXE);
		write_cr3(read_cr3());
		CHECK_EQ(try_read(virt, &value), VECTOR_PF, "level-%u without NXE", level);
		CHECK_EQ(tried_error(), 9, "level-%u without NXE error", level);
		wrmsr(MSR_EFER, efer | EFER_NXE);
		*page_entry(virt, level) &= ~PAGE_NX;
	}
	write_cr3(read_cr3());
	CHECK_EQ(run(&s, MODE_USER64, virt), VECTOR_END, "executable again");
	wrmsr(MSR_EFER, efer);
}
