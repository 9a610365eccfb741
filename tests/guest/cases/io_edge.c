/* Accesses at the last ports of all: they do what the machine does, and no more than there is. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(edge_inb, 64, "inb %dx, %al");
SNIPPET(edge_inw, 64, "inw %dx, %ax");
SNIPPET(edge_inl, 64, "inl %dx, %eax");

GUEST_CASE(io_edge, "SDM 1 19.3, SDM 2A IN")
{
	const uint64_t rax = UINT64_C(0x1122334455667788);
	struct snippet s = {.code = edge_inb, .code_end = edge_inb_end, .in = {.rax = rax}};

	s.in.rdx = UINT64_C(0xabcd0000ffff); /* only DX counts */
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "INB vector");
	CHECK_EQ(s.out.rax & ~UINT64_C(0xff), rax & ~UINT64_C(0xff), "INB RAX");
	case_value("INB %#lx", s.out.rax & 0xff);
	s.code = edge_inw;
	s.code_end = edge_inw_end;
	s.in.rdx = 0xfffe;
	snippet_run(&s);
	CHECK_EQ(s.out.rax & ~UINT64_C(0xffff), rax & ~UINT64_C(0xffff), "INW RAX");
	case_value("INW %#lx", s.out.rax & 0xffff);
	s.code = edge_inl;
	s.code_end = edge_inl_end;
	s.in.rdx = 0xfffc;
	snippet_run(&s);
	CHECK_EQ(s.out.rax >> 32, 0, "INL high half");
	case_value("INL %#lx", s.out.rax);
}
