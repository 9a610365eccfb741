/* IVRS: AMD-Vi remapping units and memory that must stay reachable (AMD I/O Virtualization
 * Technology specification 48882, chapter 5). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IVRS_MAX_UNITS    32
#define IVRS_MAX_REGIONS  64
#define IVRS_MAX_SETTINGS 512

/* Flags of a unit (IVHD byte 1): bits of its control register that firmware wants. */
#define IVRS_HT_TUNNEL   0x01u
#define IVRS_PASS_PW     0x02u
#define IVRS_RES_PASS_PW 0x04u
#define IVRS_ISOCHRONOUS 0x08u
#define IVRS_IOTLB       0x10u
#define IVRS_COHERENT    0x20u

/* Device table entry settings (section 5.2.2.2): legacy messages that a device may send. */
#define IVRS_INIT_PASS  0x01u
#define IVRS_EINT_PASS  0x02u
#define IVRS_NMI_PASS   0x04u
#define IVRS_SYSMGT     0x30u /* a field of two bits, as in the device table entry */
#define IVRS_LINT0_PASS 0x40u
#define IVRS_LINT1_PASS 0x80u

/* I/O virtualization hardware definition, section 5.2.2.1. */
struct ivrs_unit {
	uint64_t base; /* physical address of its registers, 16 KiB aligned */
	uint16_t segment;
	uint16_t device_id;  /* the unit's own PCI function: bus << 8 | device << 3 | function */
	uint16_t capability; /* offset of its capability block in configuration space */
	uint8_t flags;       /* IVRS_HT_TUNNEL ... */
	uint8_t type; /* 10h, 11h or 40h: of several blocks for one unit the highest counts */
};

/* What firmware wants in the entries of the devices first to last. */
struct ivrs_setting {
	uint16_t segment;
	uint16_t first, last; /* device IDs */
	uint8_t data;         /* IVRS_INIT_PASS ... */
};

/* I/O virtualization memory definition, section 5.2.2.3. */
struct ivrs_region {
	uint64_t base, end; /* physical, multiples of 4 KiB; end is behind the last byte */
};

struct ivrs {
	unsigned unit_count; /* at least 1 */
	unsigned region_count;
	unsigned regions_bad; /* left out: empty, or beyond 52 bits */
	unsigned setting_count;
	bool has_ioapic; /* says which device an I/O APIC sends as: interrupts can be told apart */
	struct ivrs_unit unit[IVRS_MAX_UNITS];
	struct ivrs_region region[IVRS_MAX_REGIONS];
	struct ivrs_setting setting[IVRS_MAX_SETTINGS]; /* only those with data other than 0 */
};

/*
 * Parses a table of `len` readable bytes. Returns 0; -EINVAL: damaged (a length that does not fit,
 * a unit without a usable address, a range of devices that has no end), -ENOENT: no unit, -ENOSPC:
 * more units, regions or settings than fit.
 */
int ivrs_parse(const void *table, size_t len, struct ivrs *ivrs);
