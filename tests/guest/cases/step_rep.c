/* TF over string instructions on a watched port: a trap behind each element, at the instruction
 * until it is done, and just the elements that were asked for (bug classes 6 and 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(rep_ins, 64, "rep insb; nop");
static uint8_t buffer[8];

GUEST_CASE(step_rep, "SDM 3B 18.3.1.4, SDM 2B REP, APM 2 13.1.4")
{
	struct snippet s = {.trace = true, .code = rep_ins, .code_end = rep_ins_end};

	memset(buffer, 0x5a, sizeof(buffer));
	s.in.rdx = acpi_pm1_port();
	s.in.rdi = (uintptr_t)buffer;
	s.in.rcx = 3;
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "vector");
	CHECK_EQ(s.steps, 4, "count");
	CHECK_EQ(s.step[0].rip, 0, "first RIP");
	CHECK_EQ(s.step[1].rip, 0, "second RIP");
	CHECK_EQ(s.step[2].rip, 2, "third RIP");
	CHECK_EQ(s.step[3].rip, 3, "next RIP");
	CHECK_EQ(s.out.rcx, 0, "RCX");
	CHECK_EQ(s.out.rdi, (uintptr_t)buffer + 3, "RDI");
	CHECK_EQ(buffer[3], 0x5a, "behind the buffer");
	CHECK_EQ(buffer[0], inb((uint16_t)s.in.rdx), "what was read");
}
