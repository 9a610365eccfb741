/*
 * SGDT, SIDT, SLDT, STR and SMSW at CPL 3: they tell, and with CR4.UMIP they are #GP; at CPL 0 they
 * always tell. The values are the guest's own tables, not the VMM's.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define UMIP BIT(11)

static const struct {
	const char *name;
	uint8_t length, bytes[3];
} opcodes[] = {
    {"sgdt", 3, {0x0f, 0x01, 0x03}}, {"sidt", 3, {0x0f, 0x01, 0x0b}},
    {"sldt", 3, {0x0f, 0x00, 0x03}}, {"str", 3, {0x0f, 0x00, 0x0b}},
    {"smsw", 3, {0x0f, 0x01, 0x23}}, {"smsw-register", 3, {0x0f, 0x01, 0xe0}},
};

GUEST_CASE(op_umip, "SDM 3A 2.5 (UMIP), SDM 2B SGDT, SIDT, SLDT, SMSW, STR")
{
	static const enum mode modes[] = {MODE_64, MODE_USER64, MODE_USER32};
	struct table_pointer gdt = gdt_now();
	uint8_t *page = page_alloc();
	bool has = cpuid(7, 0).ecx & BIT(2);

	for (unsigned on = 0; on <= has; on++) {
		write_cr4((read_cr4() & ~UMIP) | (on ? UMIP : 0));
		for (unsigned m = 0; m < 3; m++) {
			for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
				struct snippet s = {.mode = modes[m]};

				s.in.rbx = (uintptr_t)page;
				snippet_bytes(&s, opcodes[i].bytes, opcodes[i].length);
				snippet_run(&s);
				CHECK_EQ(s.out.vector, on && m ? VECTOR_GP : VECTOR_END,
					 "%s %s UMIP-%u vector", mode_name[modes[m]],
					 opcodes[i].name, on);
				if (i == 0 && s.out.vector == VECTOR_END)
					CHECK_EQ(memcmp(page, &gdt, 6), 0, "%s SGDT UMIP-%u",
						 mode_name[modes[m]], on);
			}
		}
	}
}
