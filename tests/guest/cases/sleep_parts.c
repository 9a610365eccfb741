/*
 * Suspend to RAM without a waking vector is refused however PM1 control is written: as a word, by
 * its high byte alone, as part of a longer access. Bare the machine would fall asleep, and start
 * anew at its end; under the VMM it goes on.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define SLP_EN BIT(13)
#define S3     BIT(10) /* SLP_TYP 1: of QEMU, and of the BIOS of Bochs */

static uint16_t read(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

GUEST_CASE(sleep_parts, "ACPI 4.8.3.2.1; the VMM's promise: it is the way back or no way")
{
	uint16_t port = acpi_pm1_port(), was;

	if (!word_text("ram"))
		case_skip("bare it would sleep");
	was = read(port);
	__asm__ volatile("outw %0, %1" : : "a"((uint16_t)(was | SLP_EN | S3)), "Nd"(port));
	CHECK_EQ(read(port), was, "word");
	outb((uint16_t)(port + 1), (SLP_EN | S3) >> 8);
	CHECK_EQ(read(port), was, "high byte");
	outl(port, (uint32_t)(was | SLP_EN | S3));
	CHECK_EQ(read(port), was, "double word");
	outl((uint16_t)(port - 2), (uint32_t)(was | SLP_EN | S3) << 16);
	CHECK_EQ(read(port), was, "double word before");
}
