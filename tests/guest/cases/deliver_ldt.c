/* Events whose gate names a segment of an LDT that the VMM has not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

static void fill(void *table)
{
	const uint64_t code = DESCRIPTOR_CODE64;

	memcpy((uint8_t *)table + 8, &code, sizeof(code));
}

static void load(void *table)
{
	ldt_load((uintptr_t)table);
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
}

GUEST_CASE(deliver_ldt, "SDM 3A 6.12.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	idt_copy(idt);
	for (unsigned i = 0; i < 256; i++)
		idt[i].selector = 8 | 4; /* TI: of the LDT */
	event_all_tables(EVENT_BY_TURNS, fill, load, 0);
}
