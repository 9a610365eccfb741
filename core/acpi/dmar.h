/* DMAR: VT-d remapping units and reserved memory (Intel VT-d specification 4.1, chapter 8). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DMAR_MAX_UNITS   64
#define DMAR_MAX_REGIONS 64

/* DMA remapping hardware unit definition, section 8.3. */
struct dmar_unit {
	uint64_t base; /* physical address of its registers, 4 KiB aligned */
	uint64_t size; /* bytes of its registers: 4 KiB to 128 MiB, a power of two */
	uint16_t segment;
	bool include_all; /* has all devices of the segment that no other unit names */
};

/* Reserved memory region, section 8.4: memory that firmware lets devices reach. */
struct dmar_region {
	uint64_t base, end; /* physical, multiples of 4 KiB; end is behind the last byte */
	uint16_t segment;
};

struct dmar {
	uint8_t address_bits;  /* width of DMA addresses of the platform: 1 to 64 */
	bool interrupt_remap;  /* flag 0: the platform supports interrupt remapping */
	bool opt_in;           /* flag 2: firmware guards memory against DMA before the OS */
	unsigned unit_count;   /* at least 1 */
	unsigned region_count; /* those that are not empty */
	unsigned regions_bad;  /* left out: empty, or the end before the start */
	struct dmar_unit unit[DMAR_MAX_UNITS];
	struct dmar_region region[DMAR_MAX_REGIONS];
};

/*
 * Parses a table of `len` readable bytes. Regions are widened to whole pages. Unknown structures
 * are skipped. Returns 0; -EINVAL: damaged (a length that does not fit, a unit without a usable
 * address, two units at one address), -ENOENT: no unit, -ENOSPC: more units or regions than fit.
 * Nobody may take a unit or region for absent that the firmware listed, so none is left out.
 */
int dmar_parse(const void *table, size_t len, struct dmar *dmar);
