/* Events that read their stack, RSP0 or an entry of the IST, from a TSS in memory that the VMM has
 * not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static uint8_t stack[4096] __attribute__((aligned(16)));
static struct gate idt[256];

static void all(bool user, uint8_t ist)
{
	const uint64_t top = (uintptr_t)stack + sizeof(stack);
	uint8_t *base = fresh_move();

	for (unsigned i = 0; i < 256; i++)
		idt[i].ist = ist;
	for (unsigned piece = 0; piece < FRESH_PIECES; piece++) {
		uint8_t *tss = base + piece * FRESH_PIECE;

		tss_copy(tss);
		memcpy(tss + (ist ? TSS_IST1 + (ist - 1u) * 8 : TSS_RSP0), &top, sizeof(top));
	}
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		if (kind % FRESH_PIECES == 0)
			base = fresh_move();
		tss_load((uintptr_t)base + kind % FRESH_PIECES * FRESH_PIECE);
		event_run(&s, kind, user, 0);
		event_check(&s, kind, user);
		CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%s frame IST-%u",
			 event_name[kind], ist);
	}
}

GUEST_CASE(deliver_tss, "SDM 3A 6.14.2, 6.14.5 and 8.7, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	idt_copy(idt);
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	all(true, 0);
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	all(false, 3);
	tables_restore();
}
