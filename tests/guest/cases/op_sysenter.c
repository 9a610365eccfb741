/*
 * SYSENTER and SYSEXIT: their three MSRs, which VM entry and exit load and save, and #GP where
 * SYSENTER_CS is 0 or the mode is real.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TARGET (SNIPPET_BASE(0) + 0x400)

SNIPPET(sysenter_32, 32, "sysenter");
SNIPPET(sysenter_16, 16, "sysenter");

GUEST_CASE(op_sysenter, "SDM 2B SYSENTER, SYSEXIT, APM 3")
{
	struct snippet s = {.mode = MODE_REAL, .code = sysenter_16, .code_end = sysenter_16_end};
	uint8_t *target = (uint8_t *)(uintptr_t)TARGET;

	if (!(cpuid(1, 0).edx & BIT(11)))
		case_skip("no SYSENTER");
	__asm__("" : "+r"(target));
	target[0] = 0x0f; /* UD2 */
	target[1] = 0x0b;
	wrmsr(MSR_SYSENTER_CS, 0);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "real vector");
	s.code = sysenter_32;
	s.code_end = sysenter_32_end;
	s.mode = MODE_PROT32;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "CS 0 vector");
	CHECK_EQ(s.out.error, 0, "CS 0 error");
	/* code 18h, stack 20h: it does not look at the tables */
	wrmsr(MSR_SYSENTER_CS, 0x18);
	wrmsr(0x175, SNIPPET_BASE(0) + 0x1800);
	wrmsr(0x176, TARGET);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "vector");
	CHECK_EQ(s.out.rip, TARGET, "EIP");
	CHECK_EQ(s.out.cs, 0x18, "CS");
	CHECK_EQ(s.out.rsp, SNIPPET_BASE(0) + 0x1800, "ESP");
	wrmsr(MSR_SYSENTER_CS, 0);
}
