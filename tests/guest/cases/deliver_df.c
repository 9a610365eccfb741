/* A double fault whose gate, TSS and stack are memory that the VMM has not mapped yet: an exit in
 * the delivery of the second event, and the error code stays 0 (bug classes 20 and 21). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define ABSENT UINT64_C(0x10100000000)

GUEST_CASE(deliver_df, "SDM 3A 6.15 (interrupt 8), SDM 3C 31.7.1.1, APM 2 8.2.9")
{
	uint8_t *base = fresh_move();

	/* the first page fault has no stack; the double fault has one */
	page_map(ABSENT, 0, 0);
	for (unsigned piece = 0; piece < FRESH_PIECES; piece++) {
		struct gate *gate = (void *)(base + piece * FRESH_PIECE);

		if (piece == 0) {
			idt_copy(gate);
			gate[VECTOR_DF].ist = 7;
		} else if (piece & 1) {
			uint64_t top =
			    (uintptr_t)fresh_next() +
			    (piece == 1 ? FRESH_PIECES * FRESH_PIECE : piece * FRESH_PIECE);

			tss_copy(gate);
			memcpy((uint8_t *)gate + TSS_IST1 + 6 * 8, &top, sizeof(top));
		}
	}
	base = fresh_move();
	idt_load((uintptr_t)base, 4095);
	for (unsigned piece = 1; piece < FRESH_PIECES; piece += 2) {
		uint64_t top = (uintptr_t)base +
			       (piece == 1 ? FRESH_PIECES * FRESH_PIECE : piece * FRESH_PIECE);
		struct snippet s;

		tss_load((uintptr_t)base + piece * FRESH_PIECE);
		event_run(&s, EVENT_PF, false, ABSENT);
		CHECK_EQ(s.out.vector, VECTOR_DF, "%u vector", piece);
		CHECK_EQ(s.out.error, 0, "%u error", piece);
		CHECK_EQ(s.out.rsp, ABSENT, "%u RSP", piece);
		CHECK_EQ(s.frame_at, top - sizeof(struct frame), "%u frame", piece);
		CHECK_EQ(s.cr2, ABSENT - 8, "%u CR2", piece);
	}
	tables_restore();
}
