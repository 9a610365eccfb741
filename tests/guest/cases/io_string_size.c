/*
 * INS with addresses of 16 and 32 bits, with segment prefixes that mean nothing to it, counts whose
 * high parts are not looked at: on a port that the VMM watches (bug class 6).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct form {
	const char *name;
	enum mode mode;
	uint8_t length, bytes[6];
	uint64_t rcx, rdi; /* before, but for the buffer's address */
	uint64_t rcx_out, moved;
} forms[] = {
    {"64-a32", MODE_64, 4, {0x67, 0xf3, 0x66, 0x6d}, 2, 0, 0, 4},
    {"64-a32-high", MODE_64, 4, {0x67, 0xf3, 0x66, 0x6d}, 0x500000002, 0x700000000, 0, 4},
    {"64-gs", MODE_64, 4, {0x65, 0xf3, 0x66, 0x6d}, 2, 0, 0, 4},
    {"64-f2", MODE_64, 3, {0xf2, 0x66, 0x6d}, 3, 0, 0, 6},
    {"64-none", MODE_64, 3, {0xf3, 0x66, 0x6d}, 0, 0, 0, 0},
    {"32", MODE_32, 3, {0xf3, 0x66, 0x6d}, 2, 0, 0, 4},
    {"prot-fs", MODE_PROT32, 4, {0x64, 0xf3, 0x66, 0x6d}, 2, 0, 0, 4},
    {"user-32", MODE_USER32, 3, {0xf3, 0x66, 0x6d}, 2, 0, 0, 4},
};

GUEST_CASE(io_string_size, "SDM 2A INS, SDM 2B REP, SDM 1 3.6")
{
	static uint16_t buffer[8] __attribute__((aligned(16)));
	uint16_t port = acpi_pm1_port(), now;

	__asm__ volatile("inw %1, %0" : "=a"(now) : "Nd"(port));
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *f = &forms[i];
		struct snippet s = {.mode = f->mode};
		uint64_t at = (uintptr_t)buffer;

		memset(buffer, 0, sizeof(buffer));
		snippet_bytes(&s, f->bytes, f->length);
		s.in.rdx = port;
		s.in.rcx = f->rcx;
		s.in.rdi = f->rdi + at;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", f->name);
		CHECK_EQ(s.out.rip, f->length + 2, "%s RIP", f->name);
		CHECK_EQ((uint32_t)s.out.rcx, f->rcx_out, "%s RCX", f->name);
		CHECK_EQ((uint32_t)s.out.rdi, (uint32_t)(at + f->moved), "%s RDI", f->name);
		if (f->moved)
			CHECK_EQ(buffer[0], now, "%s", f->name);
		CHECK_EQ(buffer[f->moved / 2], 0, "%s behind", f->name);
	}
}
