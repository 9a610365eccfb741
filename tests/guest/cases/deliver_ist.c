/* Events whose stack, from the TSS's interrupt stack table, is memory that the VMM has not mapped
 * yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];
static uint8_t tss[TSS_SIZE] __attribute__((aligned(4)));

GUEST_CASE(deliver_ist, "SDM 3A 6.14.5, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	tss_copy(tss);
	tss_load((uintptr_t)tss);
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].ist = 7;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	event_all_stacks(false, tss + TSS_IST1 + 6 * 8);
	tables_restore();
}
