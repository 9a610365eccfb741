/* Events whose stack is in the VMM's memory, where no frame can be: #GP in place of the event, or a
 * double fault, on a stack that there is; and the CPU goes on. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

static struct gate idt[256];

GUEST_CASE(hole_stack, "the VMM's promise: Documentation/memory-map.md; SDM 3A tables 6-4 and 6-5")
{
	uint64_t end, hole = memory_missing(&end);

	if (!hole)
		case_skip("no memory is missing");
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		/* the VMM keeps an NMI, which comes right behind the #GP; nothing else is kept */
		unsigned vector = kind == EVENT_NMI ? VECTOR_NMI : VECTOR_GP;
		bool contributes = kind == EVENT_DE || kind == EVENT_GP || kind == EVENT_PF;
		struct snippet s;

		if (!event_in_exit(kind))
			continue;
		idt_for_absent(idt, kind);
		idt[VECTOR_PF].ist = 0;
		idt[VECTOR_GP].ist = kind == EVENT_GP ? 0 : 3;
		event_run(&s, kind, false, hole + 0x2000);
		CHECK_EQ(s.out.vector, contributes ? VECTOR_DF : vector, "%s vector",
			 event_name[kind]);
		if (kind != EVENT_NMI)
			CHECK_EQ(s.out.rsp, hole + 0x2000, "%s RSP", event_name[kind]);
		CHECK_EQ(*(volatile uint64_t *)(hole + 0x1ff8), ~UINT64_C(0), "%s memory",
			 event_name[kind]);
	}
	tables_restore();
	CHECK_EQ(cpuid(0, 0).eax > 0, 1, "CPUID");
}
