/*
 * The RTC's CMOS memory through ports 70h and 71h: bytes are what was written, the clock ticks in
 * its registers and is BCD or binary as register B says, by single and by string instructions.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define SPARE 0x6f /* a byte that no firmware here checks */

static uint8_t cmos(uint8_t index)
{
	outb(0x70, 0x80 | index); /* NMIs stay off meanwhile */
	return inb(0x71);
}

GUEST_CASE(io_cmos, "MC146818A data sheet; SDM 2A IN, INS")
{
	uint8_t was = cmos(SPARE), buffer[3] = {0};
	uint64_t rdi = (uintptr_t)buffer, rcx = 3;
	bool bcd = !(cmos(0x0b) & 4);

	for (unsigned n = 0; n < 256; n += 51) {
		cmos(SPARE);
		outb(0x71, (uint8_t)n);
		CHECK_EQ(cmos(SPARE), n, "written %u", n);
	}
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(rcx) : "d"(0x71) : "memory");
	CHECK_EQ(buffer[0] | buffer[1] << 8 | buffer[2] << 16, 0xffffff, "INS");
	cmos(SPARE);
	outb(0x71, was);
	for (uint8_t index = 0; index < 10; index += 2) {
		uint8_t value = cmos(index);

		CHECK(!bcd || (value & 15) < 10, "register %u", index);
	}
	CHECK_EQ(cmos(0x0d) & 0x80, 0x80, "time is valid");
	outb(0x70, 0);
	case_value("B %#x", cmos(0x0b));
	outb(0x70, 0);
}
