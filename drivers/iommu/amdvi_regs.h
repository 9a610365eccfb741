/* AMD-Vi: registers, device table entries, commands and events, without hardware (AMD I/O
 * Virtualization Technology specification, 48882). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/acpi/ivrs.h"
#include "drivers/iommu/fault.h"

/* Offsets, section 3.4; all 64 bits. */
enum amdvi_register {
	AMDVI_DEVICE_TABLE = 0x0000,
	AMDVI_COMMAND_BASE = 0x0008,
	AMDVI_EVENT_BASE = 0x0010,
	AMDVI_CONTROL = 0x0018,
	AMDVI_EXCLUSION_BASE = 0x0020,
	AMDVI_EXCLUSION_LIMIT = 0x0028,
	AMDVI_FEATURES = 0x0030,
	AMDVI_COMMAND_HEAD = 0x2000,
	AMDVI_COMMAND_TAIL = 0x2008,
	AMDVI_EVENT_HEAD = 0x2010,
	AMDVI_EVENT_TAIL = 0x2018,
	AMDVI_STATUS = 0x2020,
};

#define AMDVI_REGISTERS          UINT64_C(0x4000)
#define AMDVI_REGISTERS_COUNTERS UINT64_C(0x80000) /* with performance counters */

#define AMDVI_CONTROL_ENABLE    (UINT64_C(1) << 0)
#define AMDVI_CONTROL_EVENTS    (UINT64_C(1) << 2)
#define AMDVI_CONTROL_EVENT_INT (UINT64_C(1) << 3)
#define AMDVI_CONTROL_COMMANDS  (UINT64_C(1) << 12)
#define AMDVI_STATUS_OVERFLOW   UINT64_C(1) /* written back to clear, as the next */
#define AMDVI_STATUS_EVENT_INT  UINT64_C(2)
#define AMDVI_STATUS_EVENTS     UINT64_C(8)        /* the event log runs */
#define AMDVI_STATUS_COMMANDS   UINT64_C(16)       /* the command buffer runs */
#define AMDVI_FEATURE_ALL       (UINT64_C(1) << 6) /* has INVALIDATE_IOMMU_ALL */
#define AMDVI_FEATURE_COUNTERS  (UINT64_C(1) << 9)

#define AMDVI_QUEUE_BYTES  0x1000u /* command buffer, event log: 256 entries each */
#define AMDVI_QUEUE_LENGTH (UINT64_C(8) << 56)
#define AMDVI_ENTRY_BYTES  16u
#define AMDVI_DEVICES      0x10000u
#define AMDVI_DEVICE_BYTES 32u             /* of a device table entry */
#define AMDVI_TABLE_SIZE   UINT64_C(0x1ff) /* of 2 MiB, in the base register */

/* Control bits that firmware's flags (IVHD) ask for. */
uint64_t amdvi_control(uint8_t ivhd_flags);
/*
 * Device table entry (section 2.2.2.1): translation by the four-level table at `root`. Its
 * interrupts are as without a unit until amdvi_device_interrupts(). `setting`: IVRS_SYSMGT counts.
 */
void amdvi_device_entry(uint64_t entry[4], uint64_t root, uint16_t domain, uint8_t setting);
/* Fixed and arbitrated interrupts pass; of the others what `setting` (IVRS_...) has, but never
 * INIT. */
void amdvi_device_interrupts(uint64_t entry[4], uint8_t setting);
/* The same device may send NMIs: a function that is the VMM's. */
void amdvi_device_nmi(uint64_t entry[4]);
/* Commands, section 2.4. */
void amdvi_wait(uint64_t c[2], uint64_t status, uint64_t value);
void amdvi_flush_device(uint64_t c[2], uint16_t device);
void amdvi_flush_domain(uint64_t c[2], uint16_t domain);
void amdvi_flush_all(uint64_t c[2]);
/* An entry of the event log (section 2.5): false when it tells of no device. */
bool amdvi_fault(const uint64_t event[2], struct iommu_fault *f);
