/* ACPI tables: where they are, and the little that cases need of them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define FADT_PM1A_CNT 64 /* offset of PM1a_CNT_BLK: ACPI 5.2.9 */

static uint32_t read32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* ACPI 5.2.5.1: on 16-byte borders in the first KiB of the EBDA, or in the BIOS's last 128 KiB. */
static const uint8_t *find_rsdp(void)
{
	uintptr_t bda = 0x40e, ebda;
	uint16_t segment;

	if (boot_block.rsdp)
		return (const uint8_t *)boot_block.rsdp;
	__asm__("" : "+r"(bda)); /* no object of C lies there */
	memcpy(&segment, (const void *)bda, sizeof(segment));
	ebda = (uintptr_t)segment << 4;
	for (uintptr_t at = ebda; ebda && at < ebda + 1024; at += 16) {
		if (!memcmp((const void *)at, "RSD PTR ", 8))
			return (const uint8_t *)at;
	}
	for (uintptr_t at = 0xe0000; at < 0x100000; at += 16) {
		if (!memcmp((const void *)at, "RSD PTR ", 8))
			return (const uint8_t *)at;
	}
	return NULL;
}

const void *acpi_table(const char signature[4])
{
	const uint8_t *rsdp = find_rsdp(), *rsdt;

	if (!rsdp)
		return NULL;
	rsdt = (const uint8_t *)(uintptr_t)read32(rsdp + 16);
	for (uint32_t i = 36; rsdt && i + 4 <= read32(rsdt + 4); i += 4) {
		const uint8_t *table = (const uint8_t *)(uintptr_t)read32(rsdt + i);

		if (!memcmp(table, signature, 4))
			return table;
	}
	return NULL;
}

uint16_t acpi_pm1_port(void)
{
	const uint8_t *fadt = acpi_table("FACP");
	uint32_t port = fadt ? read32(fadt + FADT_PM1A_CNT) : 0;

	if (!port)
		case_skip("no FADT with a PM1a_CNT port");
	return (uint16_t)port;
}
