/* Events that read their stack, RSP0 or an entry of the IST, from a TSS in memory that the VMM has
 * not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define IST 3u

static uint8_t stack[4096] __attribute__((aligned(16)));
static struct gate idt[256];

static void fill(void *table)
{
	const uint64_t top = (uintptr_t)stack + sizeof(stack);
	uint8_t *tss = table;

	tss_copy(tss);
	memcpy(tss + TSS_RSP0, &top, sizeof(top));
	memcpy(tss + TSS_IST1 + (IST - 1) * 8, &top, sizeof(top));
}

static void load(void *table)
{
	tss_load((uintptr_t)table);
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
}

static void all(enum event_ring ring, uint8_t ist)
{
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].ist = ist;
	event_all_tables(ring, fill, load, (uintptr_t)stack + sizeof(stack));
}

GUEST_CASE(deliver_tss, "SDM 3A 6.14.2, 6.14.5 and 8.7, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	all(EVENT_CPL3, 0);
	all(EVENT_CPL0, IST);
}
