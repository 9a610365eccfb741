/* Events whose gate is read from memory that the VMM has not mapped yet (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static void load(void *table)
{
	idt_load((uintptr_t)table, 4095);
}

GUEST_CASE(deliver_idt, "SDM 3A 6.10 and 6.14.1, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	event_all_tables(EVENT_BY_TURNS, idt_copy, load, 0);
}
