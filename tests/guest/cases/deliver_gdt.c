/* Events whose gate names a segment that stands in a part of the GDT that the VMM has not mapped
 * yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

GUEST_CASE(deliver_gdt, "SDM 3A 6.12.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	const uint64_t code = DESCRIPTOR_CODE64;
	uint8_t *base = fresh_move();

	/* two pages of a table over the border of two pieces: the handlers' segment is behind it */
	for (unsigned piece = 1; piece < FRESH_PIECES; piece++) {
		gdt_copy(base + piece * FRESH_PIECE - 4096);
		memcpy(base + piece * FRESH_PIECE + 8, &code, sizeof(code));
	}
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].selector = 4096 + 8;
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		unsigned piece = 1 + kind % 4 * 2 - kind % 4 / 3;
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (kind % 4 == 0)
			base = fresh_move();
		gdt_load((uintptr_t)base + piece * FRESH_PIECE - 4096, 8191);
		idt_load((uintptr_t)idt, sizeof(idt) - 1);
		event_run(&s, kind, kind & 1, 0);
		tables_restore();
		event_check(&s, kind, kind & 1);
	}
}
