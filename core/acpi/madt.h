/* MADT ("APIC"): processors, I/O APICs and NMI wiring (ACPI 6.5, section 5.2.12). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef MADT_MAX_CPUS /* check-cpus builds with others */
#define MADT_MAX_CPUS 256
#endif
#define MADT_MAX_IOAPICS 64
#define MADT_MAX_NMIS    64
#define MADT_UID_ALL     UINT32_C(0xffffffff)

struct madt_cpu {
	uint32_t apic_id;
	uint32_t uid;        /* ACPI processor UID */
	bool enabled;        /* usable now */
	bool online_capable; /* not enabled, may be brought in later (revision 5 and up) */
	bool x2apic;         /* came from an x2APIC entry */
};

struct madt_ioapic {
	uint64_t address; /* physical address */
	uint32_t gsi_base;
	uint8_t id;
};

struct madt_nmi {
	uint32_t uid;   /* local: processor UID or MADT_UID_ALL; source: not used */
	uint32_t gsi;   /* source: global system interrupt; local: not used */
	uint16_t flags; /* MPS INTI flags: polarity in bits 1:0, trigger mode in bits 3:2 */
	uint8_t lint;   /* local: LINT input 0 or 1 */
	bool local;     /* local APIC NMI; false: NMI source at an I/O APIC */
};

struct madt {
	uint64_t lapic_address; /* after the 64-bit override, if there is one */
	bool pcat_compat;       /* flag 0: dual 8259 present */
	bool override;          /* an address override was there */
	unsigned cpu_count;     /* entries in cpu[], enabled or online capable, each APIC id once */
	unsigned cpus_enabled;  /* how many of them are enabled */
	unsigned cpus_left_out; /* usable ones that did not fit */
	unsigned ioapic_count;
	unsigned nmi_count;
	struct madt_cpu cpu[MADT_MAX_CPUS];
	struct madt_ioapic ioapic[MADT_MAX_IOAPICS];
	struct madt_nmi nmi[MADT_MAX_NMIS];
};

/*
 * Parses a table of `len` readable bytes. Entries that are unknown or shorter than their type needs
 * are skipped; an entry of length 0 or 1 or one that leaves the table ends the walk. I/O APICs and
 * NMIs that do not fit are left out. Returns 0, or -EINVAL when the header is damaged.
 */
int madt_parse(const void *table, size_t len, struct madt *madt);
