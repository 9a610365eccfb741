/*
 * CPUID clears the high halves of its four registers, takes leaf and subleaf from the low halves
 * alone, and changes nothing else; leaves that do not exist, and those of hypervisors, show nothing
 * of the VMM (bug class 17).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(registers_cpuid, 64, "cpuid");

GUEST_CASE(cpuid_registers, "SDM 2A CPUID, APM 3 CPUID")
{
	static const uint32_t leaves[] = {
	    0,          1,          2,          4,          7,          0xd,        0x40000000,
	    0x40000001, 0x400000ff, 0x80000000, 0x80000001, 0x80000008, 0x8fffffff, 0xffffffff};
	const uint64_t high = UINT64_C(0x9999999900000000);

	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct snippet s = {.code = registers_cpuid, .code_end = registers_cpuid_end};
		struct cpuid want = cpuid(leaves[i], 1);

		s.in.rax = high | leaves[i];
		s.in.rcx = high | 1;
		s.in.rbx = s.in.rdx = s.in.rsi = s.in.r15 = ~UINT64_C(0);
		s.in.rflags = RFLAGS_CF | BIT(10) | BIT(21);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%#x vector", leaves[i]);
		CHECK_EQ(s.out.rax, want.eax, "%#x RAX", leaves[i]);
		CHECK_EQ(s.out.rbx, want.ebx, "%#x RBX", leaves[i]);
		CHECK_EQ(s.out.rcx, want.ecx, "%#x RCX", leaves[i]);
		CHECK_EQ(s.out.rdx, want.edx, "%#x RDX", leaves[i]);
		CHECK_EQ(s.out.rsi & s.out.r15, ~UINT64_C(0), "%#x others", leaves[i]);
		CHECK_EQ(s.out.rflags & ~BIT(16), RFLAGS_CF | RFLAGS_FIXED | BIT(10) | BIT(21),
			 "%#x flags", leaves[i]);
	}
	CHECK_EQ(cpuid(1, 0).ecx >> 31, 0, "no hypervisor is announced");
}
