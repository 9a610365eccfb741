/* Interrupts whose gate is read from the VMM's memory: ones, which name a segment that there is
 * not. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

GUEST_CASE(hole_idt,
	   "the VMM's promise: Documentation/memory-map.md; SDM 3A 6.13 and 6.15 (interrupt 13)")
{
	uint64_t end, hole = memory_missing(&end);
	struct table_pointer kernel = idt_now();
	uint8_t *before = (uint8_t *)(hole - 2048); /* vectors below 0x80 are in RAM */
	static uint8_t saved[2048];

	if (!hole)
		case_skip("no memory is missing");
	memcpy(saved, before, sizeof(saved));
	for (unsigned kind = EVENT_INT; kind <= EVENT_IRQ; kind++) {
		struct snippet s;

		memcpy(before, (const void *)kernel.base, 2048);
		idt_load((uintptr_t)before, 4095);
		event_run(&s, kind, false, 0);
		idt_load(kernel.base, kernel.limit);
		CHECK_EQ(s.out.vector, VECTOR_GP, "%s vector", event_name[kind]);
		/* no gate has such a type: the error code names it; EXT for what comes from outside
		 */
		CHECK_EQ(s.out.error,
			 kind == EVENT_IRQ ? EVENT_IRQ_VECTOR * 8 + 3 : EVENT_INT_VECTOR * 8 + 2,
			 "%s error", event_name[kind]);
		CHECK_EQ(s.out.rip, 0, "%s RIP", event_name[kind]);
	}
	memcpy(before, saved, sizeof(saved));
}
