/*
 * SWAPGS exchanges GS base and KERNEL_GS_BASE, which both belong to the guest alone, over exits of
 * every kind; outside of 64-bit mode it is none.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(swapgs_twice, 64,
	"swapgs; movl $0xc0000101, %ecx; rdmsr; movl %eax, %esi; cpuid; swapgs;"
	"movl $0xc0000101, %ecx; rdmsr");

GUEST_CASE(op_swapgs, "SDM 2B SWAPGS, APM 3 SWAPGS")
{
	static const enum mode none[] = {MODE_32, MODE_16, MODE_PROT32, MODE_REAL};
	static const uint8_t bytes[] = {0x0f, 0x01, 0xf8};
	struct snippet s = {.code = swapgs_twice, .code_end = swapgs_twice_end};

	wrmsr(MSR_GS_BASE, 0x11110000);
	wrmsr(MSR_KERNEL_GS_BASE, 0x22220000);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "vector");
	CHECK_EQ(s.out.rsi, 0x22220000, "once");
	CHECK_EQ(s.out.rax, 0x11110000, "twice");
	CHECK_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0x22220000, "KERNEL_GS_BASE");
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		s = (struct snippet){.mode = none[i]};
		snippet_bytes(&s, bytes, sizeof(bytes));
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_UD, "%s vector", mode_name[none[i]]);
	}
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}
