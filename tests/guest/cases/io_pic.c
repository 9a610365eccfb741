/*
 * Both interrupt controllers: masks read back through any instruction, and the registers that OCW3
 * chooses; the VMM uses neither.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(io_pic, "Intel 8259A data sheet")
{
	static const uint16_t ports[] = {0x20, 0xa0};

	for (unsigned i = 0; i < 2; i++) {
		uint16_t port = ports[i], mask = port + 1;

		for (unsigned n = 0; n < 256; n += 85) {
			outb(mask, (uint8_t)n);
			CHECK_EQ(inb(mask), n, "mask %#x %#x", mask, n);
		}
		outb(mask, 0xff);
		outb(port, 0x0b); /* in service */
		CHECK_EQ(inb(port), 0, "in service %#x", port);
		outb(port, 0x0a); /* requests, which are what they are */
		inb(port);
		CHECK_EQ(inb(mask), 0xff, "mask behind %#x", mask);
	}
}
