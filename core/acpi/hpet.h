/* HPET description table (IA-PC HPET Specification 1.0a, section 3.2.4). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/acpi/acpi.h"
#include <stddef.h>
#include <stdint.h>

struct hpet {
	uint32_t event_timer_block_id; /* 31:16 vendor, 15 legacy route, 13 64-bit counter, 12:8
					  comparators - 1, 7:0 revision */
	uint64_t base;                 /* physical address */
	uint8_t number;                /* UID of the block */
	uint16_t min_tick;             /* lowest count in periodic mode without lost interrupts */
	uint8_t comparators;           /* 1..32 */
};

/* Returns 0, or -EINVAL: header damaged, shorter than 56 bytes, registers not in memory or base 0.
 */
int hpet_parse(const void *table, size_t len, struct hpet *hpet);
