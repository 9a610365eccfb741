/*
 * RDFSBASE and its kin: only with CR4.FSGSBASE, only in 64-bit mode, at CPL 3 too, and never with
 * an address that is not canonical.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define FSGSBASE BIT(16)

SNIPPET(base_both, 64, "wrfsbase %rax; wrgsbase %rbx; cpuid; rdfsbase %rsi; rdgsbase %rdi");
SNIPPET(base_write, 64, "wrfsbase %rax");

GUEST_CASE(op_fsgsbase, "SDM 2B RDFSBASE, SDM 2D WRFSBASE, APM 3")
{
	static const enum mode modes[] = {MODE_64, MODE_USER64};
	uint64_t cr4 = read_cr4();

	if (!(cpuid(7, 0).ebx & BIT(0)))
		case_skip("no FSGSBASE");
	for (unsigned m = 0; m < 2; m++) {
		struct snippet s = {
		    .mode = modes[m], .code = base_write, .code_end = base_write_end};

		write_cr4(cr4 & ~FSGSBASE);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_UD, "%s without the bit", mode_name[modes[m]]);
		write_cr4(cr4 | FSGSBASE);
		s.in.rax = UINT64_C(0x800000000000);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "%s not canonical", mode_name[modes[m]]);
		s.code = base_both;
		s.code_end = base_both_end;
		s.in.rax = UINT64_C(0x7fff12345000);
		s.in.rbx = UINT64_C(0xffff800012345000);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", mode_name[modes[m]]);
		CHECK_EQ(s.out.rsi, s.in.rax, "%s FS", mode_name[modes[m]]);
		CHECK_EQ(s.out.rdi, s.in.rbx, "%s GS", mode_name[modes[m]]);
		CHECK_EQ(rdmsr(MSR_FS_BASE), s.in.rax, "%s FS by MSR", mode_name[modes[m]]);
	}
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	write_cr4(cr4);
}
