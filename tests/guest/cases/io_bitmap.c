/*
 * The I/O bitmap of the TSS, bit for bit, at CPL 3: every port of an access counts, also the ones
 * that the VMM watches, before the VMM hears of it (bug class 8).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static const struct {
	const char *name;
	uint8_t length, bytes[3], size;
} forms[] = {
    {"inb", 1, {0xec}, 1},  {"inw", 2, {0x66, 0xed}, 2},  {"inl", 1, {0xed}, 4},
    {"insb", 1, {0x6c}, 1}, {"insw", 2, {0x66, 0x6d}, 2}, {"outsb", 1, {0x6e}, 1},
};

GUEST_CASE(io_bitmap, "SDM 1 19.5.2, APM 2 12.2.5")
{
	uint16_t ports[] = {acpi_pm1_port(), 0xcfc, 0x20};
	static uint32_t buffer;
	uint8_t *bits = tss_now() + TSS_SIZE; /* where the kernel's TSS has it */

	buffer = 0xffffffff;
	for (unsigned p = 0; p < 3; p++) {
		for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			for (unsigned closed = 0; closed <= forms[i].size; closed++) {
				struct snippet s = {.mode = MODE_USER64};
				uint16_t port = ports[p] + (uint16_t)closed;
				bool denied = closed < forms[i].size;

				if (forms[i].bytes[0] == 0x6e && ports[p] != 0x20)
					continue;
				s.in.rdx = forms[i].bytes[0] == 0x6e ? 0x21 : ports[p];
				s.in.rdi = s.in.rsi = (uintptr_t)&buffer;
				port = (uint16_t)(s.in.rdx + closed);
				bits[port / 8] |= (uint8_t)(1u << port % 8);
				snippet_bytes(&s, forms[i].bytes, forms[i].length);
				snippet_run(&s);
				bits[port / 8] &= (uint8_t) ~(1u << port % 8);
				CHECK_EQ(s.out.vector, denied ? VECTOR_GP : VECTOR_END,
					 "%s port-%u closed-%u", forms[i].name, p, closed);
				buffer = 0xffffffff;
			}
		}
	}
}
