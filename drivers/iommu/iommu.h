/* What the two kinds of IOMMU have in common: one map for all devices, and the log of faults. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "drivers/iommu/fault.h"
#include "drivers/iommu/map.h"

struct mmio_ops;

#define IOMMU_DOMAIN     1      /* all devices are in it; 0 may be reserved (VT-d CAP.CM) */
#define IOMMU_TIMEOUT_US 100000 /* of anything that a unit is asked for */

/* What a machine's units need of the map; filled by iommu_driver.find(). */
struct iommu_need {
	unsigned width;    /* bits of an address that all of them translate */
	unsigned max_leaf; /* largest page that all of them have: 2 or 3 */
	uint64_t end;      /* of the memory that firmware wants mapped; 0: none */
};

struct iommu_driver {
	const char *table; /* signature of the ACPI table that lists the units */
	const char *name;  /* for the user */
	const struct iommu_format *format;
	/*
	 * Read the table, look at all units, and tell each unit's registers by iommu_registers().
	 * 0, or negative errno after dma_cannot() or iommu_bad_table(). Nothing is changed yet.
	 */
	int (*find)(const void *table, uint32_t len, struct iommu_need *need);
	/* Make all that start() needs, with these tables. 0 or -ENOMEM. */
	int (*prepare)(uint64_t root, uint64_t root3);
	/* Take the units, as dma_guard.start and .stop. */
	int (*start)(void);
	void (*stop)(void);
	void (*pass_nmi)(uint16_t segment, uint16_t requester); /* as dma_guard.pass_nmi */
};

extern const struct iommu_driver iommu_vtd, iommu_amdvi;

/*
 * A unit's registers: hidden from the guest, and out of reach of devices. `ops`: what the guest
 * finds there; NULL: ones. 0 or -ENOSPC.
 */
int iommu_registers(uint64_t base, uint64_t size, const struct mmio_ops *ops, void *arg);
/* A register of 64 bits, at `offset` of a unit's. */
static inline uint64_t iommu_read64(const volatile uint8_t *unit, uint32_t offset)
{
	return *(const volatile uint64_t *)(const volatile void *)(unit + offset);
}

static inline void iommu_write64(volatile uint8_t *unit, uint32_t offset, uint64_t value)
{
	*(volatile uint64_t *)(volatile void *)(unit + offset) = value;
}

/* Wait until its bits of `mask` are `value`. 0, or -ETIMEDOUT after IOMMU_TIMEOUT_US. */
int iommu_wait64(const volatile uint8_t *unit, uint32_t offset, uint64_t mask, uint64_t value);
/* Tell that a unit cannot be used. Returns -ENODEV. */
int iommu_unusable(uint64_t base, const char *why);
/* A line of the log for a fault, unless there were too many. Context: exit handler. */
void iommu_log_fault(const char *name, uint64_t base, uint16_t segment,
		     const struct iommu_fault *f);
/* What devices read must be in memory, where a unit does not look into the caches. */
void iommu_write_back(const volatile void *p, size_t size);
/* Message that the boot CPU takes as NMI (SDM 3A 11.11): address and data; 0: it has none. */
uint32_t iommu_nmi_address(void);
#define IOMMU_NMI_DATA 0x400u
