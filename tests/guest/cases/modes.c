/* CPUID, which always exits, and arithmetic around it, in every mode: registers, RIP, nothing else
 * changed. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TEXT "cpuid; movl %eax, %esi; nop"
SNIPPET(modes_16, 16, TEXT);
SNIPPET(modes_32, 32, TEXT);
SNIPPET(modes_64, 64, TEXT);

GUEST_CASE(modes, "SDM 2A CPUID, APM 3 CPUID")
{
	struct cpuid want = cpuid(0, 0);

	for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
		const char *name = mode_name[mode];
		bool is16 = mode == MODE_16 || mode_is_64k(mode);
		bool is64 = mode == MODE_64 || mode == MODE_USER64;
		struct snippet s = {
		    .mode = mode,
		    .code = is16   ? modes_16
			    : is64 ? modes_64
				   : modes_32,
		    .code_end = is16   ? modes_16_end
				: is64 ? modes_64_end
				       : modes_32_end,
		    .in = {.rdi = 0x12345678, .rbp = 0x9abcdef0},
		};
		unsigned length = is16 ? 6 : 5;

		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
		CHECK_EQ(s.out.rip, length + 2, "%s RIP", name);
		CHECK_EQ(s.out.rax, want.eax, "%s EAX", name);
		CHECK_EQ(s.out.rbx, want.ebx, "%s EBX", name);
		CHECK_EQ(s.out.rcx, want.ecx, "%s ECX", name);
		CHECK_EQ(s.out.rdx, want.edx, "%s EDX", name);
		CHECK_EQ(s.out.rsi, want.eax, "%s ESI", name);
		CHECK_EQ(s.out.rdi, 0x12345678, "%s EDI", name);
		CHECK_EQ(s.out.rbp, 0x9abcdef0, "%s EBP", name);
	}
}
