/* Events at CPL 0 whose stack is memory that the VMM has not mapped yet: the exit comes in the
 * middle, and the event must be delivered once, with its own error code and frame (bug class 20).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

GUEST_CASE(deliver_stack, "SDM 3A 6.12 and 6.14.2, SDM 3C 31.7.1.2, APM 2 15.7.2 and 15.20")
{
	idt_copy(idt);
	idt[VECTOR_NMI].ist = 0;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	event_all_stacks(false, NULL);
}
