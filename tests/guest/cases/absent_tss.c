/* Events at CPL 3 whose RSP0 lies on a page of the TSS that is not present for the guest (bug class
 * 21). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define VIRTUAL                                                                                    \
	UINT64_C(0x10300020000) /* not present; the page behind it is, with the interrupt stack    \
				   table */

static struct gate idt[256];
static uint8_t tss[TSS_SIZE];

GUEST_CASE(absent_tss, "SDM 3A 6.12.1 and 8.7, 6.15 (interrupts 8 and 14); APM 2 8.2.9 and 8.2.15")
{
	uint8_t *page = page_alloc();

	tss_copy(tss);
	memcpy(page, tss + TSS_IST1, TSS_SIZE - TSS_IST1);
	page_map(VIRTUAL + 4096, (uintptr_t)page, PAGE_P | PAGE_W);
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		struct snippet s;

		idt_for_absent(idt, kind);
		tss_load(VIRTUAL + 4096 - TSS_IST1);
		event_run(&s, kind, true, 0);
		tables_restore();
		event_check_absent(&s, kind, VIRTUAL, 0);
	}
}
