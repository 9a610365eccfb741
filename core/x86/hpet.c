/* The HPET's block of registers: where it is, and its counter. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/hpet.h"
#include <stddef.h>
#include "core/acpi/hpet.h"
#include "core/mm/vmmap.h"
#include "core/start.h"

#define PERIOD_MAX   0x05f5e100u /* femtoseconds */
#define FEMTOSECONDS UINT64_C(1000000000000000)

const struct hpet_block *hpet_find(void)
{
	static struct hpet_block block;
	static bool looked;
	uint64_t pa;
	uint32_t len;
	struct hpet table;

	if (looked)
		return block.regs ? &block : NULL;
	looked = true;
	if (!start_acpi() || acpi_find(start_acpi(), "HPET", 0, &pa, &len) != 0)
		return NULL;
	const void *t = acpi_table(start_acpi(), pa, "HPET", &len);

	if (!t || hpet_parse(t, len, &table) != 0)
		return NULL;
	block.base = table.base;
	block.regs = vmmap_device(table.base, HPET_BYTES);
	if (!block.regs)
		return NULL;
	uint32_t period = hpet_read(&block, HPET_CAPS + 4);

	if (period == 0 || period > PERIOD_MAX) {
		block.regs = NULL;
		return NULL;
	}
	block.is_64 = hpet_read(&block, HPET_CAPS) & HPET_COUNT_64;
	block.hz = FEMTOSECONDS / period;
	return &block;
}

/* In halves: not each chipset reads 64 bits at once. */
uint64_t hpet_counter(const struct hpet_block *h)
{
	uint32_t high, low;

	if (!h->is_64)
		return hpet_read(h, HPET_COUNTER);
	do {
		high = hpet_read(h, HPET_COUNTER + 4);
		low = hpet_read(h, HPET_COUNTER);
	} while (hpet_read(h, HPET_COUNTER + 4) != high);
	return (uint64_t)high << 32 | low;
}
