/* Interrupts whose gate lies on a page of the IDT that is not present for the guest (bug class 21).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define VIRTUAL UINT64_C(0x10300000000) /* the second page is missing: vectors from 0x80 on */

GUEST_CASE(absent_idt, "SDM 3A 6.10, 6.15 (interrupt 14); APM 2 8.2.15")
{
	static const uint8_t kinds[] = {EVENT_INT, EVENT_IRQ};
	struct table_pointer kernel = idt_now();
	uint8_t *page = page_alloc();
	struct gate *gate = (void *)(page + 2048);

	memcpy(page + 2048, (const void *)kernel.base, 2048);
	gate[VECTOR_PF].ist = 3;
	page_map(VIRTUAL, (uintptr_t)page, PAGE_P | PAGE_W);
	for (unsigned i = 0; i < 2 * sizeof(kinds); i++) {
		unsigned kind = kinds[i / 2];
		struct snippet s;

		if (kind == EVENT_INT && (i & 1))
			continue; /* 0xf8 is for user code as well, if its gate could be read */
		idt_load(VIRTUAL + 2048, 4095);
		event_run(&s, kind, i & 1, 0);
		idt_load(kernel.base, kernel.limit);
		event_check_absent(&s, kind, VIRTUAL + 4096, 0);
	}
}
