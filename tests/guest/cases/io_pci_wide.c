/*
 * The configuration ports of PCI where accesses do not fit: words and double words at CFDh to CFFh,
 * bytes and words at CF8h, which are no part of the address register but the reset register at
 * CF9h; what comes is what comes without the VMM, whatever it watches.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ADDRESS 0xcf8
#define DATA    0xcfc

static uint32_t in_word(uint16_t port)
{
	uint32_t value = 0;

	__asm__ volatile("inw %w1, %w0" : "+a"(value) : "Nd"(port));
	return value & 0xffff;
}

GUEST_CASE(io_pci_wide, "PCI Local Bus 3.0, 3.2.2.3.2; SDM 2A IN")
{
	for (uint32_t reg = 0; reg < 0x10; reg += 4) {
		uint32_t address = 0x80000000 | reg;

		outl(ADDRESS, address);
		for (uint16_t at = 0; at < 4; at++) {
			case_value("INL %#x+%u %#x", reg, at, inl((uint16_t)(DATA + at)));
			CHECK_EQ(inl(ADDRESS), address, "address behind INL+%u %#x", at, reg);
			case_value("INW %#x+%u %#x", reg, at, in_word((uint16_t)(DATA + at)));
			CHECK_EQ(inl(ADDRESS), address, "address behind INW+%u %#x", at, reg);
		}
		for (uint16_t at = 0; at < 4; at++)
			case_value("address byte %u %#x", at, inb((uint16_t)(ADDRESS + at)));
		case_value("address words %#x %#x", in_word(ADDRESS), in_word(ADDRESS + 2));
	}
	/* a byte to CF8h is none to the address register; 0 to CF9h resets nothing */
	outl(ADDRESS, 0x80000004);
	outb(ADDRESS, 0);
	CHECK_EQ(inl(ADDRESS), 0x80000004, "address behind OUTB");
	outb(0xcf9, 0);
	CHECK_EQ(inl(ADDRESS), 0x80000004, "address behind CF9h");
	case_value("CF9h %#x", inb(0xcf9));
	/* no function: ones in every size */
	outl(ADDRESS, 0x80ffff00);
	CHECK_EQ(inl(DATA), 0xffffffff, "absent");
	CHECK_EQ(in_word(DATA + 2), 0xffff, "absent word");
	CHECK_EQ(inb(DATA + 3), 0xff, "absent byte");
}
