/* Events at CPL 0 whose stack is not present for the guest: a page fault that names the push, and
 * the instruction that the event hit; after a page fault, a double fault (bug class 21). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

GUEST_CASE(absent_stack,
	   "SDM 3A 6.15 (interrupts 8 and 14), tables 6-4 and 6-5; APM 2 8.2.9 and 8.2.15")
{
	const uint64_t top = UINT64_C(0x10200000000);

	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		if (kind == EVENT_INTO) /* 32 bits of RSP */
			continue;
		idt_for_absent(idt, kind);
		event_run(&s, kind, false, top);
		event_check_absent(&s, kind, top - 8, 2);
	}
	tables_restore();
}
