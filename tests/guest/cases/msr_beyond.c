/*
 * MSR numbers outside of the ranges of the bitmaps, which always exit: none of them exists, so both
 * instructions are #GP, and registers stay (XSA-108; SDM 3C 25.6.9, APM 2 15.11).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(beyond_rdmsr, 64, "rdmsr");
SNIPPET(beyond_wrmsr, 64, "wrmsr");

GUEST_CASE(msr_beyond, "SDM 2B RDMSR, SDM 2C WRMSR, APM 3 RDMSR, WRMSR")
{
	static const uint32_t list[] = {0x2000,     0x2010,     0x3fffffff, 0x40000000, 0x40000001,
					0x40000070, 0x400000ff, 0x40001000, 0x7fffffff, 0x80000000,
					0x8000001b, 0xbfffffff, 0xc0002000, 0xc000ffff, 0xc0012000,
					0xc0020000, 0xfffffffe, 0xffffffff};
	const uint64_t high = UINT64_C(0xa5a5a5a500000000);

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct snippet s = {.code = beyond_rdmsr, .code_end = beyond_rdmsr_end};

		s.in.rcx = high | list[i];
		s.in.rax = high | 1;
		s.in.rdx = high | 2;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "RDMSR %#x vector", list[i]);
		CHECK_EQ(s.out.error, 0, "RDMSR %#x error", list[i]);
		CHECK_EQ(s.out.rip, 0, "RDMSR %#x RIP", list[i]);
		CHECK_EQ(s.out.rax, high | 1, "RDMSR %#x RAX", list[i]);
		CHECK_EQ(s.out.rdx, high | 2, "RDMSR %#x RDX", list[i]);
		s.code = beyond_wrmsr;
		s.code_end = beyond_wrmsr_end;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "WRMSR %#x vector", list[i]);
		CHECK_EQ(s.out.rip, 0, "WRMSR %#x RIP", list[i]);
	}
}
