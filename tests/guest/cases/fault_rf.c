/*
 * The frame of a fault has RF set, so that an instruction breakpoint there does not hit again: also
 * when the fault is the VMM's answer to an exit (bug class 22).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(rf_ud2, 64, "ud2");
SNIPPET(rf_vmxoff, 64, "vmxoff");
SNIPPET(rf_xsetbv, 64, "xsetbv");
SNIPPET(rf_int3, 64, "int3");

static void one(const char *name, const uint8_t *code, const uint8_t *end, unsigned vector,
		uint64_t rf)
{
	struct snippet s = {.code = code, .code_end = end, .in = {.rcx = 0x480, .rax = 0}};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s vector", name);
	CHECK_EQ(s.out.rflags & RFLAGS_RF, rf, "%s RF", name);
}

GUEST_CASE(fault_rf, "SDM 3B 18.3.1.1, APM 2 3.1.6")
{
	uint64_t cr4 = read_cr4();

	one("UD2", rf_ud2, rf_ud2_end, VECTOR_UD, RFLAGS_RF); /* no exit */
	one("INT3", rf_int3, rf_int3_end, VECTOR_BP, 0);      /* a trap */
	one("VMXOFF", rf_vmxoff, rf_vmxoff_end, VECTOR_UD, RFLAGS_RF);
	if (cpuid(1, 0).ecx & BIT(26)) {
		write_cr4(cr4 | CR4_OSXSAVE);
		/* index 0x480 does not exist */
		one("XSETBV", rf_xsetbv, rf_xsetbv_end, VECTOR_GP, RFLAGS_RF);
		write_cr4(cr4);
	}
}
