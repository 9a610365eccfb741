/*
 * An interrupt descriptor table that reaches into the VMM's memory: a gate of ones is none, so an
 * event with it is #GP with the gate's index; the gates in front of it work.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

SNIPPET(idt_int, 64, "int $0x80");
SNIPPET(idt_ud, 64, "ud2");

GUEST_CASE(region_idt, "SDM 3A 6.12.1 and 6.13, APM 2 8.9; Documentation/memory-map.md")
{
	struct region r = region_like();
	struct snippet s = {.code = idt_int, .code_end = idt_int_end};
	uint8_t *own = page_alloc();

	/* gates up to 7f in the second half of a page of the guest's own */
	memcpy(own + 0x800, (const void *)idt_now().base, 0x800);
	/* without the gate that ends snippets */
	idt_load(region_behind(own, r.base, 1) + 0x800, 0xff0 - 1);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "INT vector");
	CHECK_EQ(s.out.error, 0x80 * 8 + 2, "INT error");
	CHECK_EQ(s.out.rip, 0, "INT RIP");
	s.code = idt_ud;
	s.code_end = idt_ud_end;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "UD2 vector");
	region_check(&r, "end");
}
