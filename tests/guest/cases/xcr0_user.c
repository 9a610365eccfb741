/* XSETBV at CPL 3, and in the other modes: privileged, and taken at CPL 0 in each of them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(xcr0_user, "SDM 2D XSETBV, APM 4 XSETBV")
{
	static const enum mode user[] = {MODE_USER64, MODE_USER32},
			       kernel[] = {MODE_64, MODE_32, MODE_PROT32, MODE_PAGED32, MODE_REAL};
	static const uint8_t bytes[] = {0x0f, 0x01, 0xd1};
	struct snippet s = {.in = {.rax = 1}, .cr4 = (uint32_t)CR4_OSXSAVE};

	if (!(cpuid(1, 0).ecx & BIT(26)))
		case_skip("no XSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	snippet_bytes(&s, bytes, sizeof(bytes));
	for (unsigned i = 0; i < sizeof(user) / sizeof(user[0]); i++) {
		s.mode = user[i];
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "%s vector", mode_name[user[i]]);
		CHECK_EQ(s.out.rip, 0, "%s RIP", mode_name[user[i]]);
	}
	for (unsigned i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++) {
		s.mode = kernel[i];
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", mode_name[kernel[i]]);
		CHECK_EQ(s.out.rip, sizeof(bytes) + 2, "%s RIP", mode_name[kernel[i]]);
	}
}
