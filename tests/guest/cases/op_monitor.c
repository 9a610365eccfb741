/*
 * MONITOR and MWAIT: what they refuse, and that MWAIT with an interrupt that waits ends, with the
 * interrupt taken when IF allows it.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define IRQ 0x41

SNIPPET(monitor_wait, 64, "monitor; xorl %eax, %eax; xorl %ecx, %ecx; sti; mwait; nop");

GUEST_CASE(op_monitor, "SDM 2B MONITOR, MWAIT, APM 3")
{
	static const uint8_t monitor[] = {0x0f, 0x01, 0xc8};
	struct snippet s = {.in = {.rax = SNIPPET_BASE(0) + 0x800}};

	if (!(cpuid(1, 0).ecx & BIT(3)))
		case_skip("no MONITOR");
	snippet_bytes(&s, monitor, sizeof(monitor));
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "MONITOR");
	s.in.rcx = 1;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "MONITOR with ECX");
	s.in.rcx = 0;
	s.in.rax = UINT64_C(0x800000000000);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "MONITOR not canonical");
	apic_write(APIC_SVR, 0x1ff);
	apic_send(0, 0x44000 | IRQ); /* to itself: it waits, IF is 0 */
	s = (struct snippet){.code = monitor_wait, .code_end = monitor_wait_end};
	s.in.rax = SNIPPET_BASE(0) + 0x800;
	snippet_run(&s);
	apic_write(APIC_EOI, 0);
	CHECK_EQ(s.out.vector, IRQ, "MWAIT ends with the interrupt");
}
