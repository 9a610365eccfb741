/* AMD-Vi: registers, device table entries, commands and events, without hardware (AMD I/O
 * Virtualization Technology specification, 48882). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/iommu/amdvi_regs.h"

enum command {
	COMPLETION_WAIT = 1,
	INVALIDATE_DEVTAB_ENTRY = 2,
	INVALIDATE_IOMMU_PAGES = 3,
	INVALIDATE_IOMMU_ALL = 8,
};

#define OPCODE(op) ((uint64_t)(op) << 60)

uint64_t amdvi_control(uint8_t ivhd_flags)
{
	static const struct {
		uint8_t flag, bit;
	} map[] = {
	    {IVRS_HT_TUNNEL, 1},    {IVRS_PASS_PW, 8},   {IVRS_RES_PASS_PW, 9},
	    {IVRS_ISOCHRONOUS, 11}, {IVRS_COHERENT, 10},
	};
	uint64_t control = 0;

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (ivhd_flags & map[i].flag)
			control |= UINT64_C(1) << map[i].bit;
	}
	return control;
}

/* Bits of a device table entry, by quadword. */
#define DTE_VALID       UINT64_C(1)         /* V */
#define DTE_TRANSLATE   UINT64_C(2)         /* TV */
#define DTE_FOUR_LEVELS (UINT64_C(4) << 9)  /* Mode */
#define DTE_READ_WRITE  (UINT64_C(3) << 61) /* IR, IW */
#define DTE_SYSMGT      40                  /* quadword 1: system management messages */
#define DTE_INT_VALID   UINT64_C(1)         /* quadword 2: IV */
#define DTE_EINT_PASS   (UINT64_C(1) << 57) /* bit 185 */
#define DTE_NMI_PASS    (UINT64_C(1) << 58) /* bit 186 */
#define DTE_INT_FORWARD (UINT64_C(1) << 60) /* IntCtl 01: fixed and arbitrated ones unmapped */
#define DTE_LINT0_PASS  (UINT64_C(1) << 62)
#define DTE_LINT1_PASS  (UINT64_C(1) << 63)

void amdvi_device_entry(uint64_t entry[4], uint64_t root, uint16_t domain, uint8_t setting)
{
	/* I = 0: requests that claim to be translated, and translation requests, are aborted */
	entry[0] = root | DTE_VALID | DTE_TRANSLATE | DTE_FOUR_LEVELS | DTE_READ_WRITE;
	entry[1] = domain | (uint64_t)((setting & IVRS_SYSMGT) >> 4) << DTE_SYSMGT;
	entry[2] = 0;
	entry[3] = 0;
}

void amdvi_device_interrupts(uint64_t entry[4], uint8_t setting)
{
	entry[2] = DTE_INT_VALID | DTE_INT_FORWARD |
		   (setting & IVRS_EINT_PASS ? DTE_EINT_PASS : 0) |
		   (setting & IVRS_NMI_PASS ? DTE_NMI_PASS : 0) |
		   (setting & IVRS_LINT0_PASS ? DTE_LINT0_PASS : 0) |
		   (setting & IVRS_LINT1_PASS ? DTE_LINT1_PASS : 0);
}

void amdvi_device_nmi(uint64_t entry[4])
{
	entry[2] |= DTE_NMI_PASS;
}

void amdvi_wait(uint64_t c[2], uint64_t status, uint64_t value)
{
	c[0] = OPCODE(COMPLETION_WAIT) | status | 1; /* S: store */
	c[1] = value;
}

void amdvi_flush_device(uint64_t c[2], uint16_t device)
{
	c[0] = OPCODE(INVALIDATE_DEVTAB_ENTRY) | device;
	c[1] = 0;
}

void amdvi_flush_domain(uint64_t c[2], uint16_t domain)
{
	c[0] = OPCODE(INVALIDATE_IOMMU_PAGES) | (uint64_t)domain << 32;
	c[1] = UINT64_C(0x7ffffffffffff003); /* all addresses, with the tables that lead to them */
}

void amdvi_flush_all(uint64_t c[2])
{
	c[0] = OPCODE(INVALIDATE_IOMMU_ALL);
	c[1] = 0;
}

bool amdvi_fault(const uint64_t event[2], struct iommu_fault *f)
{
	enum {
		ILLEGAL_ENTRY = 1,
		PAGE_FAULT = 2,
		TABLE_ERROR = 3,
		PAGE_TABLE_ERROR = 4,
		INVALID_REQUEST = 8
	};
	unsigned code = (unsigned)(event[0] >> 60);

	if (code != ILLEGAL_ENTRY && code != PAGE_FAULT && code != TABLE_ERROR &&
	    code != PAGE_TABLE_ERROR && code != INVALID_REQUEST)
		return false;
	*f = (struct iommu_fault){
	    .address = event[1],
	    .device = (uint16_t)event[0],
	    .reason = code,
	    .write = event[0] >> 53 & 1, /* RW */
	};
	return true;
}
