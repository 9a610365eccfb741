/*
 * SYSCALL and SYSRET: registers, masks and rings as the MSRs say, from CPL 3 and CPL 0; without
 * EFER.SCE there is no such instruction. The VMM leaves the MSRs alone over exits.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define STAR   0xc0000081u
#define FMASK  0xc0000084u
#define TARGET (SNIPPET_BASE(0) + 0x400) /* in the snippet's page, behind its code */

SNIPPET(syscall_enter, 64, "stc; syscall; nop");
SNIPPET(syscall_return, 64, "leaq 1f(%rip), %rcx; movl $0x203, %r11d; sysretq; nop; 1: cpuid");

GUEST_CASE(op_syscall, "SDM 2B SYSCALL, SYSRET, APM 3 SYSCALL, SYSRET")
{
	struct snippet s = {
	    .mode = MODE_USER64, .code = syscall_enter, .code_end = syscall_enter_end};
	uint64_t efer = rdmsr(MSR_EFER);
	uint8_t *target = (uint8_t *)(uintptr_t)TARGET;

	__asm__("" : "+r"(target));
	target[0] = 0x0f; /* UD2 */
	target[1] = 0x0b;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "without SCE");
	CHECK_EQ(s.out.rip, 1, "without SCE RIP");
	wrmsr(MSR_EFER, efer | EFER_SCE);
	/* kernel CS 08, SS 10; user SS 33, CS 3b: the kernel's own selectors */
	wrmsr(STAR, UINT64_C(0x002b0008) << 32);
	wrmsr(MSR_LSTAR, TARGET);
	wrmsr(FMASK, RFLAGS_CF);
	for (unsigned ring = 0; ring < 2; ring++) {
		s.mode = ring ? MODE_USER64 : MODE_64;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_UD, "vector ring-%u", ring);
		CHECK_EQ(s.out.rip, TARGET, "RIP ring-%u", ring);
		CHECK_EQ(s.out.cs, 8, "CS ring-%u", ring);
		CHECK_EQ(s.out.ss, 0x10, "SS ring-%u", ring);
		CHECK_EQ(s.out.rcx, SNIPPET_BASE(0) + 3, "RCX ring-%u", ring);
		CHECK_EQ(s.out.r11 & ~BIT(16), 3, "R11 ring-%u", ring);
		CHECK_EQ(s.out.rflags & RFLAGS_CF, 0, "mask ring-%u", ring);
	}
	s = (struct snippet){.code = syscall_return, .code_end = syscall_return_end};
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "SYSRET vector");
	CHECK_EQ(s.out.cs, 0x3b, "SYSRET CS");
	CHECK_EQ(s.out.rflags & RFLAGS_CF, RFLAGS_CF, "SYSRET flags");
	CHECK_EQ(s.out.rax, cpuid(0, 0).eax, "CPUID behind it");
	wrmsr(FMASK, 0);
	wrmsr(MSR_LSTAR, 0);
	wrmsr(STAR, 0);
	wrmsr(MSR_EFER, efer);
}
