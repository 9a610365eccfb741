/*
 * Configuration space by ports: each function of bus 0, and accesses of all sizes. With the word
 * bar=ADDRESS, what is behind that address as well.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc
#define NONE         0xffffffffu

/* Offsets: PCI Local Bus 3.0, 6.1. */
#define HEADER_TYPE 0x0c
#define MULTI       0x800000u

static uint32_t config_at(unsigned device, unsigned function, unsigned offset)
{
	uint32_t value;

	outl(ADDRESS_PORT, 0x80000000 | device << 11 | function << 8 | offset);
	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(DATA_PORT));
	return value;
}

/* The same register by bytes and words: parts of one value (PCI Local Bus 3.0, 3.2.2.3.2). */
static void sizes(unsigned device, unsigned function)
{
	uint32_t whole = config_at(device, function, 0), parts = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t byte;

		__asm__ volatile("inb %w1, %0" : "=a"(byte) : "Nd"(DATA_PORT + i));
		parts |= (uint32_t)byte << 8 * i;
	}
	CHECK_EQ(parts, whole, "%u.%u bytes", device, function);
	parts = 0;
	for (unsigned i = 0; i < 4; i += 2) {
		uint16_t word;

		__asm__ volatile("inw %w1, %0" : "=a"(word) : "Nd"(DATA_PORT + i));
		parts |= (uint32_t)word << 8 * i;
	}
	CHECK_EQ(parts, whole, "%u.%u words", device, function);
}

GUEST_CASE(pci_scan, "PCI Local Bus 3.0 3.2.2.3, 6.1")
{
	uint64_t bar = word_number("bar", 0);
	unsigned found = 0;

	for (unsigned device = 0; device < 32; device++) {
		unsigned count = config_at(device, 0, HEADER_TYPE) & MULTI ? 8 : 1;

		if (config_at(device, 0, 0) == NONE)
			count = 1;
		for (unsigned function = 0; function < count; function++) {
			if (config_at(device, function, 0) == NONE)
				continue;
			found++;
			sizes(device, function);
			case_value("%x.%u %#x class %#x BAR0 %#x", device, function,
				   config_at(device, function, 0),
				   config_at(device, function, 8) >> 8,
				   config_at(device, function, 0x10));
		}
	}
	CHECK(found, "functions");
	if (bar)
		case_value("behind %#x", *(volatile uint32_t *)(uintptr_t)bar);
}
