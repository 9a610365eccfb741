/*
 * Events whose delivery touches memory that the VMM has not mapped yet: the exit comes in the
 * middle, and the event must be delivered once, with its own error code and frame (bug class 20).
 * The frame buffer of the graphics card is such memory; each part of the delivery gets a piece of
 * its own.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define STEP   0x200000u /* more than the VMM maps at a time, it is hoped */
#define PIECES 7

SNIPPET(deliver_ud, 64, "ud2");
SNIPPET(deliver_int, 64, "int $0x41");
SNIPPET(deliver_int3, 64, "int3");
SNIPPET(deliver_pf, 64, "movq (%rdi), %rax");
SNIPPET(deliver_gp, 64, "movl $0xffff, %eax; movl %eax, %ds");

static uint32_t pci_read(uint32_t address)
{
	uint32_t value;

	outl(0xcf8, 0x80000000 | address);
	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(0xcfc));
	return value;
}

/* BAR 0 of the first display controller on bus 0, and its size; 0: none. */
static uint64_t frame_buffer(uint32_t *size)
{
	for (uint32_t device = 0; device < 32; device++) {
		uint32_t at = device << 11, bar;

		if (pci_read(at) == 0xffffffff || pci_read(at + 8) >> 24 != 3)
			continue;
		bar = pci_read(at + 0x10);
		outl(0xcf8, 0x80000000 | (at + 0x10));
		outl(0xcfc, 0xffffffff);
		*size = -(pci_read(at + 0x10) & ~15u);
		outl(0xcf8, 0x80000000 | (at + 0x10));
		outl(0xcfc, bar);
		return bar & ~15u;
	}
	return 0;
}

static void one(const char *name, const uint8_t *code, const uint8_t *end, uint64_t stack,
		unsigned vector, uint64_t error, uint64_t rip)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rdi = UINT64_C(0x7000000000);
	s.in.rsp = stack;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s vector", name);
	CHECK_EQ(s.out.error, error, "%s error", name);
	CHECK_EQ(s.out.rip, rip, "%s RIP", name);
	CHECK_EQ(s.out.rsp, stack, "%s RSP", name);
	if (vector == VECTOR_PF)
		CHECK_EQ(s.cr2, s.in.rdi, "%s CR2", name);
}

GUEST_CASE(delivery, "SDM 3A 6.12, SDM 3C 27.2.4, APM 2 15.7.2, 15.20")
{
	uint32_t size = 0;
	uint64_t base = frame_buffer(&size), stack = base + STEP;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idt;

	if (!base || size < PIECES * STEP)
		case_skip("no frame buffer that is large enough");
	/* the stack in memory that nobody has touched: one exception each */
	one("UD stack", deliver_ud, deliver_ud_end, stack, VECTOR_UD, 0, 0);
	one("INT stack", deliver_int, deliver_int_end, stack += STEP, 0x41, 0, 2);
	one("INT3 stack", deliver_int3, deliver_int3_end, stack += STEP, VECTOR_BP, 0, 1);
	one("PF stack", deliver_pf, deliver_pf_end, stack += STEP, VECTOR_PF, 0, 0);
	one("GP stack", deliver_gp, deliver_gp_end, stack += STEP, VECTOR_GP, 0xfffc, 5);
	/* the IDT there as well: the copy maps it, so this one judges the next exception's way only
	 */
	__asm__ volatile("sidt %0" : "=m"(idt));
	memcpy((void *)(base + size - STEP), (const void *)idt.base, 4096);
	idt.base = base + size - STEP;
	__asm__ volatile("lidt %0" : : "m"(idt));
	one("UD IDT", deliver_ud, deliver_ud_end, stack, VECTOR_UD, 0, 0);
	one("PF IDT", deliver_pf, deliver_pf_end, stack, VECTOR_PF, 0, 0);
}
