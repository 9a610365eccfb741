/* What a VM entry demands of the guest's state and of the event it delivers, as a pure function. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

/* A segment as the VMCS holds it; access rights: SDM 3C table 25-2, bit 16 unusable. */
struct vt_check_seg {
	uint16_t selector;
	uint32_t limit, ar;
	uint64_t base;
};

/* Fields of the VMCS by the manual's names; those whose control is off need not be read. */
struct vt_check_state {
	uint32_t pin, proc, proc2, entry; /* control words */
	uint64_t cr0, cr3, cr4, dr7, debugctl;
	uint64_t sysenter_esp, sysenter_eip, pat, efer;
	uint64_t bndcfgs, s_cet, ssp, isst, pkrs;
	struct vt_check_seg seg[SEG_COUNT];
	struct table_state gdtr, idtr;
	uint64_t rip, rflags;
	uint32_t activity, interruptibility;
	uint64_t pending_debug, link_pointer;
	uint64_t pdpte[4];
	uint32_t event, event_error, event_length; /* VM-entry interruption information... */
	uint32_t exit_msr_store, exit_msr_load, entry_msr_load; /* counts of the MSR lists */
};

/* What depends on the CPU. */
struct vt_check_limits {
	unsigned phys_bits;   /* MAXPHYADDR, 32..52 */
	unsigned linear_bits; /* 48 or 57 */
	/* bits that must be 1, that may be 1; PE and PG as "unrestricted guest" has them */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

/*
 * The first rule that the state breaks, as a constant text, or NULL. SDM 3C 27.3.1 (guest state)
 * and 27.2.1.3 (event injection), outside SMM. Not looked at: reserved bits of
 * IA32_PERF_GLOBAL_CTRL and of the LBR and PT registers, which depend on the model. Two rules are
 * the VMM's own: there is no VMCS behind this one, and no exit or entry pays for a list of MSRs.
 */
const char *vt_check(const struct vt_check_state *s, const struct vt_check_limits *limits);
