/* Events that find all they need in memory that the VMM has not mapped yet: gate, segment, TSS and
 * stack, so one delivery is broken off four times (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

enum { IDT, LDT, TSS, STACK, PARTS };

static void fill(uint8_t *at, uint8_t *later)
{
	const uint64_t code = DESCRIPTOR_CODE64, top = (uintptr_t)later + PARTS * FRESH_PIECE;
	struct gate *gate = (void *)(at + IDT * FRESH_PIECE);

	idt_copy(gate);
	for (unsigned i = 0; i < 256; i++) {
		gate[i].selector = 8 | 4;
		gate[i].ist = 0;
	}
	memcpy(at + LDT * FRESH_PIECE + 8, &code, sizeof(code));
	tss_copy(at + TSS * FRESH_PIECE);
	memcpy(at + TSS * FRESH_PIECE + TSS_RSP0, &top, sizeof(top));
}

GUEST_CASE(deliver_all, "SDM 3A 6.12.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	uint8_t *base = fresh_move();

	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		unsigned half = kind % 2 * PARTS;
		struct snippet s;
		uint8_t *at;

		if (!event_in_exit(kind))
			continue;
		if (half == 0) {
			fill(base, fresh_next());
			fill(base + PARTS * FRESH_PIECE, fresh_next() + PARTS * FRESH_PIECE);
			base = fresh_move();
		}
		at = base + half * FRESH_PIECE;
		tss_load((uintptr_t)at + TSS * FRESH_PIECE);
		ldt_load((uintptr_t)at + LDT * FRESH_PIECE);
		idt_load((uintptr_t)at + IDT * FRESH_PIECE, 4095);
		event_run(&s, kind, true, 0);
		tables_restore();
		event_check(&s, kind, true);
		CHECK_EQ(s.frame_at, (uintptr_t)at + PARTS * FRESH_PIECE - sizeof(struct frame),
			 "%s frame", event_name[kind]);
	}
}
