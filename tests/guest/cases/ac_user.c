/* Alignment checks at CPL 3 with CR0.AM and RFLAGS.AC, and at no other time: #AC with error code 0,
 * once, at the instruction (bug class 23). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define RFLAGS_AC 0x40000u

SNIPPET(ac_read, 64, "nop; movl 1(%rdi), %eax");
SNIPPET(ac_cpuid, 64, "cpuid; movl 1(%rdi), %eax");

static void one(const char *name, enum mode mode, bool cpuid, uint64_t rflags, bool faults)
{
	static uint8_t memory[16] __attribute__((aligned(16)));
	struct snippet s = {
	    .mode = mode,
	    .code = cpuid ? ac_cpuid : ac_read,
	    .code_end = cpuid ? ac_cpuid_end : ac_read_end,
	    .in = {.rdi = (uintptr_t)memory, .rflags = rflags},
	};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, faults ? VECTOR_AC : VECTOR_END, "%s vector", name);
	CHECK_EQ(s.out.error, 0, "%s error", name);
	if (faults)
		CHECK_EQ(s.out.rip, cpuid ? 2 : 1, "%s RIP", name);
}

GUEST_CASE(ac_user, "SDM 3A 6.15 (interrupt 17), APM 2 8.2.18")
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_AM);
	one("AM 0", MODE_USER64, false, RFLAGS_AC, false);
	write_cr0(cr0 | CR0_AM);
	one("AC 0", MODE_USER64, false, 0, false);
	one("CPL 0", MODE_64, false, RFLAGS_AC, false);
	one("user", MODE_USER64, false, RFLAGS_AC, true);
	one("user 32", MODE_USER32, false, RFLAGS_AC, true);
	one("user behind an exit", MODE_USER64, true, RFLAGS_AC, true);
	write_cr0(cr0);
}
