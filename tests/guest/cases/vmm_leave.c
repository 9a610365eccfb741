/*
 * The VMM's calls of the start, boot_leave and boot_start: once a guest runs nobody has the VMM let
 * go of a CPU, neither the kernel nor a program.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(leave_intel, 64, "vmcall");
SNIPPET(leave_amd, 64, "vmmcall");

static void call(const char *name, enum mode mode, const struct region *r)
{
	bool intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
	uint64_t unused = 0, number = vmm_call(0, (uintptr_t)name, &unused, 0);
	struct snippet s = {
	    .mode = mode,
	    .code = intel ? leave_intel : leave_amd,
	    .code_end = intel ? leave_intel_end : leave_amd_end,
	};

	CHECK(number, "%s is there", name);
	s.in.rax = number;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s %s vector", mode_name[mode], name);
	CHECK_EQ(s.out.rip, 5, "%s %s RIP", mode_name[mode], name);
	CHECK_EQ(s.out.rax, 0, "%s %s answer", mode_name[mode], name);
	*(volatile uint64_t *)r->base = 0;
	CHECK_EQ(*(volatile uint64_t *)r->base, REGION_ONES, "%s %s memory", mode_name[mode], name);
	CHECK_EQ(vmm_call(0, (uintptr_t)name, &unused, 0), number, "%s %s the VMM answers",
		 mode_name[mode], name);
}

GUEST_CASE(vmm_leave, "the VMM's promise: Documentation/threat-model.md")
{
	struct region r = region_get();

	call("boot_leave", MODE_64, &r);
	call("boot_leave", MODE_USER64, &r);
	call("boot_start", MODE_64, &r);
	call("boot_start", MODE_USER64, &r);
	region_check(&r, "end");
}
