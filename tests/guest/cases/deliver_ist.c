/* Events whose stack, from the TSS's interrupt stack table, is memory that the VMM has not mapped
 * yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];
static uint8_t tss[TSS_SIZE] __attribute__((aligned(4)));

GUEST_CASE(deliver_ist, "SDM 3A 6.14.5, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	uint64_t base = 0, top;

	tss_copy(tss);
	tss_load((uintptr_t)tss);
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].ist = 7;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		unsigned piece = kind % FRESH_PIECES;
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (piece == 0)
			base = (uintptr_t)fresh_move();
		top = base + (piece + 1) * FRESH_PIECE;
		memcpy(tss + TSS_IST1 + 6 * 8, &top, sizeof(top));
		event_run(&s, kind, false, 0);
		event_check(&s, kind, false);
		CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%s frame", event_name[kind]);
	}
	tables_restore();
}
