/* Events at CPL 3 whose stack for CPL 0, RSP0 of the TSS, is memory that the VMM has not mapped yet
 * (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];
static uint8_t tss[TSS_SIZE] __attribute__((aligned(4)));

GUEST_CASE(deliver_rsp0, "SDM 3A 6.12.1 and 6.14.2, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	tss_copy(tss);
	tss_load((uintptr_t)tss);
	idt_copy(idt);
	idt[VECTOR_NMI].ist = 0;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	event_all_stacks(true, tss + TSS_RSP0);
	tables_restore();
}
