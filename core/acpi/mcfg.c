/* MCFG: memory-mapped PCI configuration windows (PCI Firmware Specification 3.3, section 4.1.2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/mcfg.h"
#include "core/acpi/acpi.h"
#include "core/errno.h"

#define MCFG_ENTRIES    44 /* header and 8 reserved bytes */
#define MCFG_ENTRY_SIZE 16
#define BUS_WINDOW      UINT64_C(0x100000)

int mcfg_count(const void *table, size_t len)
{
	uint32_t n;

	if (!acpi_header_ok(table, len, "MCFG", &n) || n < MCFG_ENTRIES)
		return -EINVAL;
	return (int)((n - MCFG_ENTRIES) / MCFG_ENTRY_SIZE);
}

int mcfg_get(const void *table, size_t len, unsigned n, struct mcfg_segment *seg)
{
	int count = mcfg_count(table, len);

	if (count < 0)
		return count;
	if (n >= (unsigned)count)
		return -ENOENT;
	const uint8_t *e = (const uint8_t *)table + MCFG_ENTRIES + (size_t)n * MCFG_ENTRY_SIZE;
	*seg = (struct mcfg_segment){
	    .base = acpi_le64(e),
	    .segment = acpi_le16(e + 8),
	    .first_bus = e[10],
	    .last_bus = e[11],
	};
	if (seg->last_bus < seg->first_bus || seg->base == 0 || seg->base % BUS_WINDOW != 0 ||
	    seg->base > UINT64_MAX - 256 * BUS_WINDOW)
		return -EINVAL;
	return 0;
}
