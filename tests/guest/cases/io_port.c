/*
 * A port that the VMM watches: every size, neighbours, string instructions, and CPL 3 with and
 * without permission must work as on any other port (XSA-239, XSA-105; bug classes 5, 6, 8).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(port_inb, 64, "inb %dx, %al");
SNIPPET(port_inw, 64, "inw %dx, %ax");
SNIPPET(port_inl, 64, "inl %dx, %eax");
SNIPPET(port_inw_32, 32, "inw %dx, %ax");
SNIPPET(port_inw_16, 16, "inw %dx, %ax");
SNIPPET(port_insb, 64, "rep insb");
SNIPPET(port_insw, 64, "rep insw");
SNIPPET(port_insw_down, 64, "std; rep insw; cld");
SNIPPET(port_insl, 64, "insl");
SNIPPET(port_outsw, 64, "outsw");
SNIPPET(port_insw_16, 16, "rep insw");

#define RAX UINT64_C(0x1122334455667788)

static uint16_t port, now;
static uint16_t buffer[16];

static void run(struct snippet *s, enum mode mode, const uint8_t *code, const uint8_t *end,
		uint16_t at)
{
	s->mode = mode;
	s->code = code;
	s->code_end = end;
	s->in.rdx = at;
	s->in.rax = RAX;
	snippet_run(s);
}

static void strings(void)
{
	struct snippet s = {.in = {.rcx = 3, .rdi = (uintptr_t)buffer}};

	memset(buffer, 0, sizeof(buffer));
	run(&s, MODE_64, port_insw, port_insw_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "INSW vector");
	CHECK_EQ(s.out.rdi, (uintptr_t)buffer + 6, "INSW RDI");
	CHECK_EQ(s.out.rcx, 0, "INSW RCX");
	CHECK_EQ(buffer[0], now, "INSW 0");
	CHECK_EQ(buffer[2], now, "INSW 2");
	CHECK_EQ(buffer[3], 0, "INSW behind");
	s = (struct snippet){.in = {.rcx = 2, .rdi = (uintptr_t)buffer}};
	memset(buffer, 0, sizeof(buffer));
	run(&s, MODE_64, port_insb, port_insb_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "INSB vector");
	CHECK_EQ(buffer[0], (now & 0xff) * 0x101, "INSB");
	s = (struct snippet){.in = {.rdi = (uintptr_t)&buffer[4], .rcx = 2}};
	memset(buffer, 0, sizeof(buffer));
	run(&s, MODE_64, port_insw_down, port_insw_down_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "INSW-down vector");
	CHECK_EQ(s.out.rdi, (uintptr_t)buffer + 4, "INSW-down RDI");
	CHECK_EQ(buffer[3], now, "INSW-down");
	s = (struct snippet){.in = {.rdi = (uintptr_t)buffer}};
	run(&s, MODE_64, port_insl, port_insl_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "INSL vector");
	CHECK_EQ(s.out.rdi, (uintptr_t)buffer + 4, "INSL RDI");
	buffer[0] = now;
	s = (struct snippet){.in = {.rsi = (uintptr_t)buffer}};
	run(&s, MODE_64, port_outsw, port_outsw_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "OUTSW vector");
	CHECK_EQ(s.out.rsi, (uintptr_t)buffer + 2, "OUTSW RSI");
	/* real mode: ES:DI, in the snippet's own page */
	s = (struct snippet){.in = {.rcx = 2, .rdi = 0x800}};
	run(&s, MODE_REAL, port_insw_16, port_insw_16_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "real INSW vector");
	CHECK_EQ(s.out.rdi, 0x804, "real INSW DI");
	CHECK_EQ(*(volatile uint16_t *)(uintptr_t)(SNIPPET_BASE(0) + 0x802), now, "real INSW");
	s = (struct snippet){.in = {.rcx = 0, .rdi = 0x800}};
	run(&s, MODE_REAL, port_insw_16, port_insw_16_end, port);
	CHECK_EQ(s.out.rdi, 0x800, "real INSW none");
}

GUEST_CASE(io_port, "SDM 1 19.5, SDM 2A IN, INS; APM 3 IN, INS")
{
	struct snippet s = {0};

	port = acpi_pm1_port();
	__asm__ volatile("inw %1, %0" : "=a"(now) : "Nd"(port));
	run(&s, MODE_64, port_inb, port_inb_end, port);
	CHECK_EQ(s.out.rax, (RAX & ~UINT64_C(0xff)) | (now & 0xff), "INB");
	run(&s, MODE_64, port_inw, port_inw_end, port);
	CHECK_EQ(s.out.rax, (RAX & ~UINT64_C(0xffff)) | now, "INW");
	run(&s, MODE_64, port_inl, port_inl_end, port);
	CHECK_EQ(s.out.rax >> 32, 0, "INL high");
	/* what a register of two bytes answers to other sizes is the chip set's affair */
	case_value("INL %#lx", s.out.rax);
	run(&s, MODE_64, port_inw, port_inw_end, (uint16_t)(port + 1));
	case_value("INW+1 %#lx", s.out.rax);
	run(&s, MODE_64, port_inw, port_inw_end, (uint16_t)(port - 1));
	case_value("INW-1 %#lx", s.out.rax);
	run(&s, MODE_64, port_inl, port_inl_end, (uint16_t)(port - 2));
	case_value("INL-2 %#lx", s.out.rax);
	strings();
	for (unsigned allow = 0; allow < 2; allow++) {
		static const char *const names[] = {"denied", "allowed"};
		unsigned vector = allow ? VECTOR_END : VECTOR_GP;

		trap_allow_io(allow);
		run(&s, MODE_USER64, port_inw, port_inw_end, port);
		CHECK_EQ(s.out.vector, vector, "user-64-bit %s", names[allow]);
		CHECK_EQ(s.out.rax, allow ? ((RAX & ~UINT64_C(0xffff)) | now) : RAX,
			 "user-64-bit %s RAX", names[allow]);
		run(&s, MODE_USER32, port_inw_32, port_inw_32_end, port);
		CHECK_EQ(s.out.vector, vector, "user-32-bit %s", names[allow]);
	}
	run(&s, MODE_V86, port_inw_16, port_inw_16_end, port);
	CHECK_EQ(s.out.vector, VECTOR_END, "v86");
	CHECK_EQ(s.out.rax & 0xffff, now, "v86 AX");
	run(&s, MODE_REAL, port_inw_16, port_inw_16_end, port);
	CHECK_EQ(s.out.rax & 0xffff, now, "real AX");
}
