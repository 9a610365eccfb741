/* VT-d: registers, table entries, invalidation descriptors and fault records, without hardware
 * (Intel VT-d specification 4.1). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/vtd_regs.h"
#include "core/addr.h"
#include "core/errno.h"

/* `count` bits from `first` on. */
static unsigned field(uint64_t value, unsigned first, unsigned count)
{
	return (unsigned)(value >> first & ((UINT64_C(1) << count) - 1));
}

int vtd_caps(uint64_t cap, uint64_t ecap, struct vtd_unit_caps *c, const char **reason)
{
	unsigned widths = field(cap, 8, 5), large = field(cap, 34, 4), most = field(cap, 16, 6) + 1;

	if (cap == UINT64_MAX || ecap == UINT64_MAX)
		return -ENODEV;
	*c = (struct vtd_unit_caps){
	    .max_leaf = large & 2 ? 3 : 2,
	    .fault_records = field(cap, 40, 8) + 1,
	    .fault_offset = field(cap, 24, 10) * 16,
	    .iotlb_offset = field(ecap, 8, 10) * 16 + 8,
	    .queue = field(ecap, 1, 1),
	    .write_buffer = field(cap, 4, 1),
	    .drain_reads = field(cap, 55, 1),
	    .drain_writes = field(cap, 54, 1),
	    .protected_memory = field(cap, 5, 2),
	};
	if (widths & 4)
		c->levels = 4;
	else if (widths & 2)
		c->levels = 3;
	if (!c->levels) {
		*reason = "has no tables of 3 or 4 levels";
		return -EINVAL;
	}
	if (!(large & 1)) {
		*reason = "has no 2 MiB pages";
		return -EINVAL;
	}
	c->width = c->levels == 4 ? 48 : 39;
	if (most < c->width)
		c->width = most;
	uint32_t faults_end = c->fault_offset + 16 * c->fault_records;

	c->registers_end = c->iotlb_offset + 8;
	if (c->registers_end < faults_end)
		c->registers_end = faults_end;
	if (c->registers_end < PAGE_SIZE)
		c->registers_end = PAGE_SIZE;
	return 0;
}

uint64_t vtd_root_entry(uint64_t context_table)
{
	return context_table | 1;
}

void vtd_context_entry(uint64_t entry[2], uint64_t root, unsigned levels, uint16_t domain)
{
	/* fault processing on; translation type 0: translated and translation requests are blocked
	 */
	entry[0] = root | 1;
	entry[1] = (uint64_t)domain << 8 | (levels - 2);
}

void vtd_flush_contexts(uint64_t d[2])
{
	d[0] = 1 | 1 << 4; /* all */
	d[1] = 0;
}

void vtd_flush_iotlb(uint64_t d[2], const struct vtd_unit_caps *c)
{
	d[0] = 2 | 1 << 4 | (c->drain_writes ? 1 << 6 : 0) | (c->drain_reads ? 1 << 7 : 0);
	d[1] = 0;
}

void vtd_wait(uint64_t d[2], uint64_t status, uint32_t value)
{
	d[0] = (uint64_t)value << 32 | 1 << 5 | 5;
	d[1] = status;
}

bool vtd_fault(const uint64_t record[2], struct iommu_fault *f)
{
	if (!(record[1] >> 63))
		return false;
	*f = (struct iommu_fault){
	    .address = record[0] & ~PAGE_MASK,
	    .device = (uint16_t)record[1],
	    .reason = field(record[1], 32, 8),
	    .write = !(record[1] >> 62 & 1),
	};
	return true;
}
