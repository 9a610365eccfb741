/* Events whose gate is read from memory that the VMM has not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

GUEST_CASE(deliver_idt, "SDM 3A 6.10 and 6.14.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	uint8_t *base = fresh_move();

	for (unsigned piece = 0; piece < FRESH_PIECES; piece++)
		idt_copy(base + piece * FRESH_PIECE);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct table_pointer old = idt_now();
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (kind % FRESH_PIECES == 0)
			base = fresh_move();
		idt_load((uintptr_t)base + kind % FRESH_PIECES * FRESH_PIECE, 4095);
		event_run(&s, kind, kind & 1, 0);
		idt_load(old.base, old.limit);
		event_check(&s, kind, kind & 1);
	}
}
