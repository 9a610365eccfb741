/* Events whose gate names a segment of an LDT that is not present for the guest (bug class 21). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define ABSENT UINT64_C(0x10200000000)

static struct gate idt[256];

GUEST_CASE(absent_ldt, "SDM 3A 6.12.1, 6.15 (interrupts 8 and 14); APM 2 8.2.9 and 8.2.15")
{
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		idt_for_absent(idt, kind);
		for (unsigned i = 0; i < 256; i++) {
			if (i != VECTOR_DF && (i != VECTOR_PF || kind == EVENT_PF))
				idt[i].selector = 8 | 4;
		}
		ldt_load(ABSENT);
		event_run(&s, kind, kind & 1, 0);
		tables_restore();
		event_check_absent(&s, kind, ABSENT, 0);
	}
}
