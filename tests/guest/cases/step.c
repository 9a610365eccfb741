/* Single step over an instruction that exits: one #DB behind it, with BS and the right RIP
 * (XSA-204, XSA-308). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(step_cpuid, 64, "cpuid; nop");

GUEST_CASE(step, "SDM 3B 18.3.1.4, APM 2 13.1.4")
{
	struct snippet s = {
	    .mode = MODE_64, .code = step_cpuid, .code_end = step_cpuid_end, .trace = true};

	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "vector");
	CHECK_EQ(s.steps, 2, "steps");
	CHECK_EQ(s.step[0].rip, 2, "RIP");
	CHECK_EQ(s.step[0].dr6, DR6_CLEAR | DR6_BS, "DR6");
}
