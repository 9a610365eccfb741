/* I/O breakpoints (CR4.DE) on a port that the VMM leaves alone, and on one that it watches: a trap
 * behind the access, and none for the port beside it (bug class 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(io_in, 64, "inb (%dx), %al; nop");
SNIPPET(io_out, 64, "outb %al, (%dx); nop");

static void one(const char *name, const uint8_t *code, const uint8_t *end, uint16_t port,
		uint16_t at, unsigned count)
{
	struct snippet s = {.trace = true, .code = code, .code_end = end};

	s.in.rdx = port;
	s.in.rax = inb(port);
	write_dr0(at);
	write_dr7(DR7_CLEAR | 1 | 2 << 16); /* L0, I/O, one byte */
	snippet_run(&s);
	write_dr7(DR7_CLEAR);
	write_dr0(0);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
	CHECK_EQ(s.steps, count, "%s count", name);
	if (count) {
		CHECK_EQ(s.step[0].rip, 1, "%s RIP", name);
		CHECK_EQ(s.step[0].dr6 & 0xf, 1, "%s DR6", name);
	}
}

GUEST_CASE(break_io, "SDM 3B 18.2.4, 18.3.1.3; APM 2 13.1.1.4")
{
	uint16_t port = acpi_pm1_port();

	write_cr4(read_cr4() | CR4_DE);
	one("free in", io_in, io_in_end, 0x80, 0x80, 1);
	one("free out", io_out, io_out_end, 0x80, 0x80, 1);
	one("free beside", io_in, io_in_end, 0x80, 0x81, 0);
	one("watched in", io_in, io_in_end, port, port, 1);
	one("watched beside", io_in, io_in_end, port, (uint16_t)(port + 4), 0);
}
