/*
 * OUTS from the VMM's memory gives ones. INS into it has no effect at all with a port that the VMM
 * does not watch, and loses what comes with one that it does; registers move then as always.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PIC_MASK 0x21 /* a register of 8 bits that can be read back; interrupts are off */

SNIPPET(region_outsb, 64, "rep outsb");
SNIPPET(region_insb, 64, "rep insb");
SNIPPET(region_insw, 64, "rep insw");

static void run(struct snippet *s, const char *name, const uint8_t *code, const uint8_t *end)
{
	s->code = code;
	s->code_end = end;
	snippet_run(s);
	CHECK_EQ(s->out.vector, VECTOR_END, "%s vector", name);
}

GUEST_CASE(region_port, "SDM 2A INS, SDM 2B OUTS; Documentation/memory-map.md")
{
	struct region r = region_get();
	struct snippet s = {.in = {.rcx = 3, .rdx = PIC_MASK}};

	outb(PIC_MASK, 0xbf);
	s.in.rsi = s.in.rdi = r.base + 0xfff;
	run(&s, "OUTS", region_outsb, region_outsb_end);
	CHECK_EQ(s.out.rsi, r.base + 0x1002, "OUTS RSI");
	CHECK_EQ(s.out.rcx, 0, "OUTS RCX");
	CHECK_EQ(inb(PIC_MASK), 0xff, "OUTS");
	outb(PIC_MASK, 0xbf);
	run(&s, "INS", region_insb, region_insb_end);
	CHECK_EQ(s.out.rdi, s.in.rdi, "INS RDI");
	outb(PIC_MASK, 0xff);
	region_check(&r, "INS");
	s.in.rdx = acpi_pm1_port(); /* watched */
	run(&s, "watched INS", region_insw, region_insw_end);
	CHECK_EQ(s.out.rdi, r.base + 0x1005, "watched INS RDI");
	region_check(&r, "end");
}
