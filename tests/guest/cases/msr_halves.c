/*
 * RDMSR and WRMSR use the low halves of their registers only: the high halves of RCX, RAX and RDX
 * mean nothing, and are cleared in what RDMSR gives, with registers that exit and ones that do not.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(halves_both, 64,
	"rdmsr; movq %rax, %rsi; movq %rdx, %rdi; orq %rbx, %rax;"
	"orq %rbx, %rdx; wrmsr; rdmsr");

GUEST_CASE(msr_halves, "SDM 2B RDMSR, SDM 2C WRMSR")
{
	static const uint32_t list[] = {MSR_EFER,           MSR_APIC_BASE, MSR_PAT,
					MSR_KERNEL_GS_BASE, MSR_LSTAR,     MSR_SYSENTER_CS};
	const uint64_t high = UINT64_C(0xdeadbeef00000000);

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct snippet s = {.code = halves_both, .code_end = halves_both_end};
		uint64_t now = rdmsr(list[i]);

		s.in.rcx = high | list[i];
		s.in.rax = s.in.rdx = ~UINT64_C(0);
		s.in.rbx = high;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%#x vector", list[i]);
		CHECK_EQ(s.out.rsi, now & 0xffffffff, "%#x RAX", list[i]);
		CHECK_EQ(s.out.rdi, now >> 32, "%#x RDX", list[i]);
		CHECK_EQ(s.out.rdx << 32 | s.out.rax, now, "%#x again", list[i]);
		CHECK_EQ(s.out.rcx, high | list[i], "%#x RCX", list[i]);
	}
}
