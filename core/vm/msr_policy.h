/* What happens when the guest reads or writes an MSR: one sorted table, and the bitmap built from
 * it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/vm/features.h"

/* The VMM's answer to an access. Only MSR_PASS inside the hardware's bitmaps causes no exit. */
enum msr_action {
	MSR_PASS,    /* the register itself. Outside the bitmaps the VMM executes the access and
			reflects its #GP */
	MSR_EMULATE, /* the code named by enum msr_emulation */
	MSR_DENY,    /* #GP(0), as if the register did not exist or firmware had locked it */
	MSR_ZERO,    /* reads only: 0 */
	MSR_IGNORE,  /* writes only: no effect, counted and logged once */
	MSR_MASK, /* writes only: bits of `write_mask` go to the register, the others keep its value
		   */
};

/* Which code an MSR_EMULATE access runs; one number per behaviour, not per register. */
enum msr_emulation {
	MSR_EMU_NONE,
	MSR_EMU_APIC_BASE, /* write: enable, x2APIC and base changes are followed, then executed */
	MSR_EMU_FEATURE_CONTROL, /* read: LOCK set, VMX, SMX and SGX bits 0, the others the
				    hardware's */
	MSR_EMU_MTRR, /* VT-x: mtrr_msr_read/write() on the guest's copy. AMD-V write: checked
			 against the VMM's region */
	MSR_EMU_MISC_ENABLE,       /* read: BTS and PEBS unavailable (bits 11 and 12 set) */
	MSR_EMU_PERF_CAPABILITIES, /* read: PEBS fields 0 (bits 6, 7, 11:8, 14, 16) */
	MSR_EMU_EFER,       /* read: SVME hidden. write: features.efer_allowed, LME/PG rules */
	MSR_EMU_XSS,        /* write: features.xss_allowed */
	MSR_EMU_X2APIC_ICR, /* write: start-up messages are seen, the rest is executed */
	MSR_EMU_VM_CR, /* read: the hardware's value with LOCK and SVMDIS set, the bits below 0 */
	MSR_EMU_TSC,   /* write: executed, and the VMM's clock told by how much it moved */
	MSR_EMU_MMIO_CFG_BASE, /* write: the trapped PCI window is moved first; without the PCI core
				  its own value only */
	MSR_EMU_COUNT,
};

/* When a row's first pair of actions holds; otherwise the second pair does. */
enum msr_condition {
	MSR_ALWAYS,
	MSR_IF_FEATURE,     /* `feature` is shown to the guest */
	MSR_IF_STARTUP_ICR, /* start-up messages are taken from the ICR */
};

struct msr_policy {
	uint32_t first, last; /* inclusive */
	const char *name;     /* the manual's name of the first register, or of the group */
	uint8_t vendor;       /* mask of enum cpu_vendor */
	uint8_t condition;    /* enum msr_condition */
	uint16_t feature;     /* enum feature_id for MSR_IF_FEATURE */
	uint8_t read, write;  /* enum msr_action when the condition holds */
	uint8_t else_read, else_write; /* and when it does not */
	uint8_t emulation;             /* enum msr_emulation of MSR_EMULATE */
	uint64_t write_mask;           /* MSR_MASK: bits the guest may change */
	const char *why;
};

/* Everything a verdict depends on; constant after start. */
struct msr_policy_env {
	enum cpu_vendor vendor;
	const struct features *features;
	bool startup_icr; /* x2APIC ICR writes must be seen (vmm.startup=icr, or AMD-V) */
};

struct msr_verdict {
	enum msr_action read, write;
	enum msr_emulation emulation;
	uint64_t write_mask;
	const struct msr_policy *row; /* null: no row, passed by default */
};

/* What lean exits are answered with, in two registers. Not `known`: ask the code that is not lean.
 */
struct msr_value {
	uint64_t value;
	bool known;
};

extern const struct msr_policy msr_policy_table[];
extern const size_t msr_policy_count;

/* The verdict on register `index`: binary search, some 20 steps; use it on exits, not on hot paths.
 */
struct msr_verdict msr_policy_find(const struct msr_policy_env *env, uint32_t index);

/* Called with each register of the hardware's ranges of which an access must exit. */
typedef void (*msr_policy_set_fn)(void *arg, uint32_t index, bool read, bool write);

/*
 * Reports every register that must exit inside the ranges the vendor's bitmap covers (VT-x:
 * 0..1fff, c0000000..c0001fff; AMD-V also c0010000..c0011fff). The caller starts with a bitmap of
 * zeros.
 */
void msr_policy_fill(const struct msr_policy_env *env, msr_policy_set_fn set, void *arg);

/* True when `index` is covered by the vendor's bitmap; accesses outside always exit. */
bool msr_policy_in_bitmap(enum cpu_vendor vendor, uint32_t index);
