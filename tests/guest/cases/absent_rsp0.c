/* Events at CPL 3 whose stack for CPL 0 is not present for the guest: a page fault of a
 * supervisor's write, although user code ran; after a page fault, a double fault (bug class 21). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];
static uint8_t tss[TSS_SIZE] __attribute__((aligned(4)));

GUEST_CASE(absent_rsp0, "SDM 3A 6.15 (interrupts 8 and 14), 4.7; APM 2 8.2.9 and 8.2.15")
{
	const uint64_t top = UINT64_C(0x10200000000);

	tss_copy(tss);
	memcpy(tss + TSS_RSP0, &top, sizeof(top));
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		idt_for_absent(idt, kind);
		tss_load((uintptr_t)tss);
		event_run(&s, kind, true, 0);
		event_check_absent(&s, kind, top - 8, 2);
	}
	tables_restore();
}
