/* Events whose stack is reached by a page table in memory that the VMM has not mapped yet, in which
 * the CPU sets the accessed and dirty bits (bug class 20). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define VIRTUAL UINT64_C(0x10000000000)
#define FLAGS   (PAGE_P | PAGE_W | PAGE_U)

static struct gate idt[256];

GUEST_CASE(deliver_tables, "SDM 3A 4.8, SDM 3C 29.3.3.2 and 31.7.1.2, APM 2 15.25.6")
{
	uint8_t *base = fresh_move();
	uint64_t entry, *pd = page_alloc(), *pdpt = page_alloc(), *pml4 = (uint64_t *)read_cr3(),
			stack = (uintptr_t)page_alloc();

	entry = stack | FLAGS;
	idt_copy(idt);
	idt[VECTOR_NMI].ist = 0;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	pml4[VIRTUAL >> 39 & 511] = (uintptr_t)pdpt | FLAGS;
	pdpt[VIRTUAL >> 30 & 511] = (uintptr_t)pd | FLAGS;
	for (unsigned kind = 0; kind < EVENT_COUNT; kind++) {
		unsigned piece = kind % FRESH_PIECES;
		uint64_t *table = (void *)(base + piece * FRESH_PIECE),
			 top = VIRTUAL + kind * FRESH_PIECE + 4096;
		struct snippet s;

		if (!event_in_exit(kind) || kind == EVENT_INTO) /* INTO: 32 bits of RSP */
			continue;
		if (piece == 0) {
			for (unsigned i = 0; i < FRESH_PIECES; i++)
				memcpy(base + i * FRESH_PIECE, &entry, sizeof(entry));
			base = fresh_move();
			table = (void *)base;
		}
		pd[kind] = (uintptr_t)table | FLAGS;
		write_cr3((uintptr_t)pml4);
		event_run(&s, kind, false, top);
		event_check(&s, kind, false);
		CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%s frame", event_name[kind]);
		CHECK_EQ(*table, entry | 0x60, "%s A and D", event_name[kind]);
	}
	pml4[VIRTUAL >> 39 & 511] = 0;
}
