/* Faults of DMA: what a unit tells of one, and how many are worth a line of the log. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct iommu_fault {
	uint64_t address; /* that the device used; VT-d: of its page */
	uint16_t device;  /* bus << 8 | device << 3 | function */
	unsigned reason;  /* as the unit numbers them */
	bool write;
};

#define IOMMU_FAULT_BURST   16      /* lines at once */
#define IOMMU_FAULT_EACH_US 1000000 /* then one in this time */

/* Zeroed: nothing was said yet. */
struct iommu_fault_rate {
	uint64_t since_us; /* when the burst was spent up to `said` */
	unsigned said;
	uint64_t silent; /* faults without a line since the last one */
};

/*
 * May this fault have a line now? A guest can make as many faults as it likes, and must not fill
 * the log. False counts it in `silent`, which the caller of a true one tells and clears.
 */
bool iommu_fault_may_log(struct iommu_fault_rate *r, uint64_t now_us);
/* The text of a fault: "0000:00:03.0 must not write 0x3ee00000 (reason 5)". */
void iommu_fault_text(const struct iommu_fault *f, uint16_t segment, char *text, unsigned size);
