/* Events whose gate names a segment of an LDT that the VMM has not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

GUEST_CASE(deliver_ldt, "SDM 3A 6.12.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	const uint64_t code = DESCRIPTOR_CODE64;
	uint8_t *base = fresh_move();

	for (unsigned piece = 0; piece < FRESH_PIECES; piece++)
		memcpy(base + piece * FRESH_PIECE + 8, &code, sizeof(code));
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].selector = 8 | 4; /* TI: of the LDT */
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (kind % FRESH_PIECES == 0)
			base = fresh_move();
		ldt_load((uintptr_t)base + kind % FRESH_PIECES * FRESH_PIECE);
		idt_load((uintptr_t)idt, sizeof(idt) - 1);
		event_run(&s, kind, kind & 1, 0);
		tables_restore();
		event_check(&s, kind, kind & 1);
	}
}
