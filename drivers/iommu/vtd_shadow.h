/* VT-d registers as firmware finds them whose unit the VMM has taken: they do what they should, and
 * nothing happens. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

#define VTD_SHADOW_WORDS 32 /* registers up to offset 100h */

/*
 * UEFI firmware that guards memory by VT-d goes on to change its tables until the system takes
 * over, and then switches translation off and waits for that. Ones would make it wait for ever.
 */
struct vtd_shadow {
	uint64_t word[VTD_SHADOW_WORDS];
	uint32_t iotlb; /* offset of the IOTLB invalidate register */
	uint64_t iotlb_value;
};

/* As the unit is now. `iotlb_offset`: of its IOTLB invalidate register. */
void vtd_shadow_init(struct vtd_shadow *s, uint64_t version, uint64_t cap, uint64_t ecap,
		     uint32_t status, uint32_t iotlb_offset);
/* Accesses of 1, 2, 4 or 8 bytes, naturally aligned. Registers that are not there read 0. */
uint64_t vtd_shadow_read(const struct vtd_shadow *s, uint64_t offset, unsigned size);
void vtd_shadow_write(struct vtd_shadow *s, uint64_t offset, unsigned size, uint64_t value);
