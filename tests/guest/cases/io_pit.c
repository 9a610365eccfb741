/*
 * The PIT's counters 0 and 2: latched values count down, read-back tells the mode, and the latch
 * holds while the VMM runs in between.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static unsigned latch(unsigned counter)
{
	unsigned low;

	outb(0x43, (uint8_t)(counter << 6));
	low = inb((uint16_t)(0x40 + counter));
	cpuid(0, 0); /* an exit between the halves */
	return low | (unsigned)inb((uint16_t)(0x40 + counter)) << 8;
}

GUEST_CASE(io_pit, "Intel 8254 data sheet")
{
	uint8_t gate = inb(0x61), status;
	unsigned a, b, n;

	outb(0x61, (uint8_t)((gate & 0xfc) | 1));
	outb(0x43, 0xb0); /* counter 2, both bytes, mode 0 */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	a = latch(2);
	for (n = 0; n < 1000000 && latch(2) == a; n++)
		;
	b = latch(2);
	CHECK(b < a, "counts down");
	outb(0x43, 0xe8); /* read-back: the status of counter 2 */
	status = inb(0x42);
	CHECK_EQ(status & 0x3f, 0x30, "mode");
	outb(0x43, 0x98); /* counter 2, low byte alone, mode 4 */
	outb(0x42, 0x10);
	outb(0x43, 0xe8);
	CHECK_EQ(inb(0x42) & 0x3f, 0x18, "other mode");
	CHECK_EQ(inb(0x61) & 1, 1, "gate");
	outb(0x61, gate);
}
