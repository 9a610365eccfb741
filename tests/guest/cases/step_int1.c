/* INT1 behind instructions that exit, and with TF: exception 1 behind it, and DR6 stays as it is
 * (bug class 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(int1_alone, 64, ".byte 0xf1");
SNIPPET(int1_cpuid, 64, "cpuid; .byte 0xf1");
SNIPPET(int1_in, 64, "inb (%dx), %al; .byte 0xf1");

static void one(const char *name, const uint8_t *code, const uint8_t *end, unsigned length)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rdx = acpi_pm1_port();
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_DB, "INT1 %s vector", name);
	CHECK_EQ(s.out.rip, length, "INT1 %s RIP", name);
	CHECK_EQ(s.dr6, DR6_CLEAR, "INT1 %s DR6", name);
}

GUEST_CASE(step_int1, "SDM 2A INT n/INTO/INT3/INT1, APM 3 INT1")
{
	one("alone", int1_alone, int1_alone_end, 1);
	one("cpuid", int1_cpuid, int1_cpuid_end, 3);
	one("in", int1_in, int1_in_end, 2);
}
