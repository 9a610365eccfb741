/* HPET description table (IA-PC HPET Specification 1.0a, section 3.2.4). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/acpi/hpet.h"
#include "core/errno.h"
#include "core/string.h"

#define HPET_BLOCK_ID 36
#define HPET_BASE     40
#define HPET_NUMBER   52
#define HPET_MIN_TICK 53
#define HPET_SIZE     56

int hpet_parse(const void *table, size_t len, struct hpet *hpet)
{
	const uint8_t *b = table;
	uint32_t n;

	memset(hpet, 0, sizeof *hpet);
	if (!acpi_header_ok(table, len, "HPET", &n) || n < HPET_SIZE)
		return -EINVAL;
	struct acpi_gas gas = acpi_gas_read(b + HPET_BASE);
	if (gas.space != ACPI_SPACE_MEMORY || !gas.address)
		return -EINVAL;
	hpet->event_timer_block_id = acpi_le32(b + HPET_BLOCK_ID);
	hpet->base = gas.address;
	hpet->number = b[HPET_NUMBER];
	hpet->min_tick = acpi_le16(b + HPET_MIN_TICK);
	hpet->comparators = (uint8_t)((hpet->event_timer_block_id >> 8 & 0x1f) + 1);
	return 0;
}
