/* TF over instructions that exit, at CPL 3 and in segments of 32 and 16 bits: the trap comes behind
 * each, with the RIP of that mode (bug class 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(modes_cpuid, 64, "cpuid; nop");
SNIPPET(modes_in, 64, "inb (%dx), %al; nop");

GUEST_CASE(step_modes, "SDM 3B 18.3.1.4, APM 2 13.1.4")
{
	uint16_t port = acpi_pm1_port();

	for (enum mode mode = MODE_64; mode <= MODE_USER32; mode++) {
		for (unsigned i = 0; i < 2; i++) {
			const char *name = i ? "in" : "cpuid", *in = mode_name[mode];
			unsigned length = i ? 1 : 2;
			struct snippet s = {
			    .mode = mode,
			    .trace = true,
			    .code = i ? modes_in : modes_cpuid,
			    .code_end = i ? modes_in_end : modes_cpuid_end,
			    .in = {.rdx = port, .rflags = RFLAGS_TF},
			};

			snippet_run(&s);
			CHECK_EQ(s.out.vector, VECTOR_END, "%s %s vector", in, name);
			CHECK_EQ(s.steps, 2, "%s %s count", in, name);
			CHECK_EQ(s.step[0].rip, length, "%s %s RIP", in, name);
			CHECK_EQ(s.step[0].dr6, DR6_CLEAR | DR6_BS, "%s %s DR6", in, name);
			CHECK_EQ(s.step[1].rip, length + 1, "%s %s next RIP", in, name);
		}
	}
}
