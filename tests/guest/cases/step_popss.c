/* POP SS holds back the trap of TF over the instruction behind it, also when that one exits (bug
 * class 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(popss_nop, 32, "pushl %ss; popl %ss; nop; nop; nop");
SNIPPET(popss_cpuid, 32, "pushl %ss; popl %ss; cpuid; nop");
SNIPPET(popss_in, 32, "pushl %ss; popl %ss; inw (%dx), %ax; nop");

static void one(const char *name, const uint8_t *code, const uint8_t *end, unsigned length)
{
	struct snippet s = {.mode = MODE_32, .trace = true, .code = code, .code_end = end};

	s.in.rflags = RFLAGS_TF;
	s.in.rdx = acpi_pm1_port();
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
	CHECK_EQ(s.step[0].rip, 1, "%s RIP of PUSH", name);
	CHECK_EQ(s.step[1].rip, 2 + length, "%s RIP", name);
	CHECK_EQ(s.step[1].dr6, DR6_CLEAR | DR6_BS, "%s DR6", name);
	CHECK_EQ(s.step[2].rip, 3 + length, "%s next RIP", name);
}

GUEST_CASE(step_popss, "SDM 3A 6.8.3, SDM 2B POP, APM 2 13.1.4")
{
	one("nop", popss_nop, popss_nop_end, 1);
	one("cpuid", popss_cpuid, popss_cpuid_end, 2);
	one("in", popss_in, popss_in_end, 2);
}
