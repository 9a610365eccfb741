/* Events whose stack, from the interrupt stack table, is not present for the guest (bug class 21).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];
static uint8_t tss[TSS_SIZE] __attribute__((aligned(4)));

GUEST_CASE(absent_ist, "SDM 3A 6.14.5, 6.15 (interrupts 8 and 14); APM 2 8.2.9 and 8.9.4")
{
	const uint64_t top = UINT64_C(0x10200000000);

	tss_copy(tss);
	memcpy(tss + TSS_IST1 + 6 * 8, &top, sizeof(top));
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		idt_for_absent(idt, kind);
		for (unsigned i = 0; i < 256; i++)
			idt[i].ist = idt[i].ist ? idt[i].ist : 7;
		tss_load((uintptr_t)tss);
		event_run(&s, kind, kind & 1, 0);
		event_check_absent(&s, kind, top - 8, 2);
	}
	tables_restore();
}
