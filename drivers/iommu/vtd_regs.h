/* VT-d: registers, table entries, invalidation descriptors and fault records, without hardware
 * (Intel VT-d specification 4.1). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/iommu/fault.h"

/* Offsets, section 11.4. */
enum vtd_register {
	VTD_VER = 0x00,
	VTD_CAP = 0x08,  /* 64 bits */
	VTD_ECAP = 0x10, /* 64 bits */
	VTD_GCMD = 0x18,
	VTD_GSTS = 0x1c,
	VTD_RTADDR = 0x20, /* 64 bits */
	VTD_CCMD = 0x28,   /* 64 bits */
	VTD_FSTS = 0x34,
	VTD_FECTL = 0x38,
	VTD_FEDATA = 0x3c,
	VTD_FEADDR = 0x40,
	VTD_FEUADDR = 0x44,
	VTD_PMEN = 0x64,
	VTD_IQH = 0x80, /* 64 bits */
	VTD_IQT = 0x88, /* 64 bits */
	VTD_IQA = 0x90, /* 64 bits */
};

/* Global command and global status: the same bits. */
#define VTD_TE   (UINT32_C(1) << 31) /* translation */
#define VTD_SRTP (UINT32_C(1) << 30) /* set root table pointer; status: done */
#define VTD_AFL  (UINT32_C(1) << 28) /* advanced fault logging */
#define VTD_WBF  (UINT32_C(1) << 27) /* flush the write buffer; status: not done yet */
#define VTD_QIE  (UINT32_C(1) << 26) /* invalidation queue */
#define VTD_IRE  (UINT32_C(1) << 25) /* interrupt remapping */
/* What a command keeps of the status: all but the bits that trigger something once. */
#define VTD_KEEP UINT32_C(0x96ffffff)

#define VTD_RTADDR_MODE  UINT64_C(0xc00) /* translation table mode; 0: legacy */
#define VTD_CCMD_ICC     (UINT64_C(1) << 63)
#define VTD_CCMD_GLOBAL  (UINT64_C(1) << 61)
#define VTD_IOTLB_IVT    (UINT64_C(1) << 63)
#define VTD_IOTLB_GLOBAL (UINT64_C(1) << 60)
#define VTD_IOTLB_DR     (UINT64_C(1) << 49) /* drain reads */
#define VTD_IOTLB_DW     (UINT64_C(1) << 48) /* drain writes */
#define VTD_FSTS_PFO     UINT32_C(1)         /* overflow; written back to clear, as those below */
#define VTD_FSTS_PPF     UINT32_C(2)         /* a fault record is in use; read only */
#define VTD_FSTS_IQE     UINT32_C(0x10)
#define VTD_FSTS_ICE     UINT32_C(0x20)
#define VTD_FSTS_ITE     UINT32_C(0x40)
#define VTD_FSTS_CLEAR   (VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE | UINT32_C(0x8c))
#define VTD_FECTL_IM     (UINT32_C(1) << 31)
#define VTD_PMEN_EPM     (UINT32_C(1) << 31)
#define VTD_PMEN_PRS     UINT32_C(1)

/* What a unit can do, from its capability registers. */
struct vtd_unit_caps {
	unsigned levels;   /* of the tables it is going to use: 4 or 3 */
	unsigned max_leaf; /* 2: 2 MiB pages, 3: 1 GiB as well */
	unsigned width;    /* bits of a DMA address that it translates */
	unsigned fault_records;
	uint32_t fault_offset;  /* of the first fault record */
	uint32_t iotlb_offset;  /* of the IOTLB invalidate register */
	uint32_t registers_end; /* bytes of registers that are used */
	bool queue;             /* has queued invalidation */
	bool write_buffer;      /* wants flushes of its write buffer */
	bool drain_reads, drain_writes;
	bool protected_memory; /* has protected memory regions */
};

/*
 * Read CAP and ECAP. 0; -ENODEV: nobody answers (all ones); -EINVAL with *reason, for the user: the
 * unit lacks something that is needed.
 */
int vtd_caps(uint64_t cap, uint64_t ecap, struct vtd_unit_caps *c, const char **reason);
/* Low half of a root entry (section 9.1): the context table of a bus; the high half is 0. */
uint64_t vtd_root_entry(uint64_t context_table);
/* A context entry (section 9.3): untranslated requests only, tables of `levels` at `root`. */
void vtd_context_entry(uint64_t entry[2], uint64_t root, unsigned levels, uint16_t domain);
/* Descriptors of the invalidation queue (section 6.5.2). */
void vtd_flush_contexts(uint64_t d[2]);
void vtd_flush_iotlb(uint64_t d[2], const struct vtd_unit_caps *c);
/* Write `value` to the aligned address `status` when all before it is done. */
void vtd_wait(uint64_t d[2], uint64_t status, uint32_t value);
/* A fault record (section 11.4.14): false when it is not in use. */
bool vtd_fault(const uint64_t record[2], struct iommu_fault *f);
