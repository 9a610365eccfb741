/*
 * IRET to every mode that a 64-bit kernel has, by way of CPUID in each, and what it refuses: a RIP
 * that is not canonical, a code segment of another ring, NT in 64-bit mode.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(iret_frame, 64, "pushq %rdi; pushq %rsi; pushq %rbx; pushq %rdx; pushq %rcx; iretq");
SNIPPET(iret_nested, 64, "pushfq; orl $0x4000, (%rsp); popfq; iretq");

static void refused(const char *name, uint64_t cs, uint64_t rip, uint64_t ss, uint64_t error)
{
	struct snippet s = {.code = iret_frame, .code_end = iret_frame_end};

	s.in.rdi = ss;
	s.in.rsi = SNIPPET_BASE(0) + 0x1800;
	s.in.rbx = RFLAGS_FIXED;
	s.in.rdx = cs;
	s.in.rcx = rip;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "%s vector", name);
	CHECK_EQ(s.out.error, error, "%s error", name);
}

GUEST_CASE(op_iret, "SDM 2A IRET, APM 3 IRET")
{
	struct snippet s = {.code = iret_nested, .code_end = iret_nested_end};
	static const uint8_t bytes[] = {0x0f, 0xa2};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "NT vector");
	CHECK_EQ(s.out.error, 0, "NT error");
	refused("not canonical", 0x08, UINT64_C(0x800000000000), 0x10, 0);
	refused("data segment", 0x10, SNIPPET_BASE(0), 0x10, 0x10);
	refused("null CS", 0, SNIPPET_BASE(0), 0x10, 0);
	refused("beyond", 0xfff8, SNIPPET_BASE(0), 0x10, 0xfff8);
	refused("DPL", 0x0b, SNIPPET_BASE(0), 0x33, 0x08);
	/* each snippet is entered and left by an IRET */
	for (enum mode mode = MODE_64; mode <= MODE_USER32; mode++) {
		s = (struct snippet){.mode = mode};
		snippet_bytes(&s, bytes, sizeof(bytes));
		s.in.rflags = RFLAGS_CF;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", mode_name[mode]);
		CHECK_EQ(s.out.rflags & 0xff, RFLAGS_CF | RFLAGS_FIXED, "%s flags",
			 mode_name[mode]);
		CHECK_EQ(s.out.rbx, cpuid(0, 0).ebx, "%s EBX", mode_name[mode]);
	}
}
