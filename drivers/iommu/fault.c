/* Faults of DMA: what a unit tells of one, and how many are worth a line of the log. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/fault.h"
#include "core/log.h"

bool iommu_fault_may_log(struct iommu_fault_rate *r, uint64_t now_us)
{
	uint64_t back = (now_us - r->since_us) / IOMMU_FAULT_EACH_US;

	if (back) {
		r->said -= back < r->said ? (unsigned)back : r->said;
		r->since_us += back * IOMMU_FAULT_EACH_US;
	}
	if (r->said == IOMMU_FAULT_BURST) {
		r->silent++;
		return false;
	}
	r->said++;
	return true;
}

void iommu_fault_text(const struct iommu_fault *f, uint16_t segment, char *text, unsigned size)
{
	log_snprintf(text, size, "%04x:%02x:%02x.%u must not %s %#lx (reason %u)", segment,
		     f->device >> 8, f->device >> 3 & 31u, f->device & 7u,
		     f->write ? "write" : "read", f->address, f->reason);
}
