/*
 * The A20 gate, by port 92h. Closed, bit 20 of the CPU's physical addresses is 0: the first MiB is
 * found above itself. The VMM does not let it close, as its own addresses would lose the bit as
 * well: then the register says so. Its memory reads as ones through either value of the bit (bug
 * class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define LOW  0x4000u
#define MARK 0x20a20a20u
#define SEEN 0x400000u /* RAM that nobody uses, with bit 20 clear */
#define A20  2u

/* Code that runs while the gate is closed lies in the first MiB, and so does all that it needs. */
#define GATE(value) "inb $0x92, %al; andb $0xfc, %al; orb " value ", %al; outb %al, $0x92\n"

SNIPPET(a20_real, 16,
	GATE("%cl") "movw $0xffff, %dx; movw %dx, %es; movl %es:0x4010, %esi\n"
		    "inb $0x92, %al; movzbl %al, %edx\n" GATE("$2"));
SNIPPET(a20_region, 32, GATE("$0") "movl (%esi), %ecx; movl (%edi), %ebp\n" GATE("$2"));

GUEST_CASE(a20, "SDM 3A 21.33.2 (A20M#), APM 2 15.30.1; Documentation/memory-map.md")
{
	uint64_t end, at = memory_missing(&end);
	uint32_t *low = (uint32_t *)(uintptr_t)LOW, *high = (uint32_t *)(uintptr_t)(LOW + BIT(20));
	uint32_t saved, wrong = 0;

	__asm__("" : "+r"(low), "+r"(high)); /* no objects of C lie there */
	saved = *low;
	*low = MARK;
	for (unsigned open = 0; open < 2; open++) {
		struct snippet s = {.mode = MODE_REAL,
				    .code = a20_real,
				    .code_end = a20_real_end,
				    .in = {.rcx = open * A20}};
		bool masked;

		snippet_run(&s);
		masked = s.out.rsi == MARK;
		CHECK_EQ(s.out.vector, VECTOR_END, "open-%u vector", open);
		CHECK_EQ(s.out.rsi, masked ? MARK : *high, "open-%u memory", open);
		/* the keyboard controller may hold the gate open as well */
		CHECK(!masked || !(s.out.rdx & A20), "open-%u masked", open);
		case_value("open %u: masked %u, register %u", open, masked,
			   (unsigned)s.out.rdx & A20);
	}
	*low = saved;
	/* every other MiB of the VMM's memory, and what there is above it */
	if (!at) {
		at = SEEN;
		end = at + 1;
		memset((void *)at, 0xff, 64);
	}
	for (; at < end; at += 2 * BIT(20)) {
		struct snippet s = {.mode = MODE_PROT32,
				    .code = a20_region,
				    .code_end = a20_region_end,
				    .in = {.rsi = at + BIT(20) + 16, .rdi = at}};

		snippet_run(&s);
		wrong += s.out.vector != VECTOR_END || s.out.rcx != 0xffffffff ||
			 s.out.rbp != 0xffffffff;
	}
	CHECK_EQ(wrong, 0, "the VMM's memory");
}
