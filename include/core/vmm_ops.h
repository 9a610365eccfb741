/* The CPU vendor's contract: what VT-x and AMD-V each supply to the neutral guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"
#include "core/mm/pgtable.h"

struct features;
struct cpu_caps;
struct gwalk_cpu;

/*
 * RIP and RFLAGS, and what decides how the guest's code is read and its linear addresses are
 * translated, as the vendor's own structures have it: the same values mean the same. Protection
 * keys are left out.
 */
struct translation {
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, efer;
	uint32_t cs;  /* attributes of CS; not 0 */
	uint32_t cpl; /* or what it follows from */
};

/*
 * One const struct per vendor, chosen once. Functions run on the CPU whose vcpu they get, between
 * its exit and its next entry, unless they say otherwise; none blocks.
 */
struct vmm_ops {
	const char *name; /* "VT-x" or "AMD-V" */

	/* Can this CPU run the VMM? 0, or -ENODEV with *reason set to a text for the user. Changes
	 * nothing. */
	int (*probe)(const char **reason);
	/* Prepare what all CPUs share (bitmaps, control words). 0 or negative errno. Boot CPU,
	 * once, after probe. */
	int (*init)(void);
	/* The policy tables are final: build bitmaps from them. Boot CPU, before cpu_on. */
	void (*policy_ready)(void);
	/* Needs of the feature table that this CPU and the chosen control words meet. */
	uint64_t (*feature_needs)(void);
	/* Nested page tables: entry format and largest page. */
	const struct pt_format *nested_format;
	unsigned (*nested_max_leaf)(void);
	bool nested_has_types; /* leaves carry the memory type (EPT) */

	/* VMX/SVM on and the guest's state loaded with defaults; *reason as probe. */
	int (*cpu_on)(struct vcpu *v, const char **reason);
	/* The opposite: the CPU is as if the VMM had never been there, but for the guest's state.
	 */
	void (*cpu_off)(struct vcpu *v);
	/* Enter the guest for the first time with the state set by state_set(). Does not return. */
	void (*run)(struct vcpu *v);

	/* Whole state: for hand-over, INIT and SIPI, panic dumps. state_get also works from another
	 * CPU's dump. */
	void (*state_get)(struct vcpu *v, struct vcpu_state *s);
	void (*state_set)(struct vcpu *v, const struct vcpu_state *s);

	/* Single registers, for exits. GPR_RSP and GPR_RAX go through struct vcpu and these. EFER
	 * is written checked, with LMA as it was. */
	uint64_t (*reg)(const struct vcpu *v, enum vcpu_reg reg);
	void (*set_reg)(struct vcpu *v, enum vcpu_reg reg, uint64_t value);
	/* CR0, CR3, CR4 as the guest reads them, CPL, and a segment. */
	uint64_t (*cr)(const struct vcpu *v, unsigned n);
	unsigned (*cpl)(const struct vcpu *v);
	void (*seg)(const struct vcpu *v, enum seg seg, struct seg_state *s);
	/* To compare with later. */
	void (*translation)(const struct vcpu *v, struct translation *t);
	/* Are these registers as in *t? Left out: RIP, CR3, and all of RFLAGS but AC. */
	bool (*translates_as)(const struct vcpu *v, const struct translation *t);
	/* For a walk of the guest's page tables: CR0, CR3, CR4, EFER, CPL, PKRS; pdpte, which then
	 * points to `buffer`, where the CPU keeps PDPTEs. The rest of *cpu stays as it is. */
	void (*paging)(const struct vcpu *v, struct gwalk_cpu *cpu, uint64_t buffer[4]);

	/* Deliver an event at the next entry, in the place of the one that waits there. A page
	 * fault loads CR2 as well. NULL: none. */
	void (*inject)(struct vcpu *v, const struct event *e);
	/* The event that the next entry delivers: its delivery was hit by this exit, or a handler
	 * has raised it. False: none. */
	bool (*pending_event)(const struct vcpu *v, struct event *e);
	/* The instruction that exited is done: RIP, interrupt shadow, single-step trap. */
	void (*advance)(struct vcpu *v, unsigned length);
	/* The guest owns one more NMI: deliver it as soon as its handler does not run. At most one
	 * waits. */
	void (*inject_nmi)(struct vcpu *v);
	/* Drop this CPU's cached nested translations. */
	void (*flush)(struct vcpu *v);
	/* I/O port: exit on access or not. Shared by all CPUs; takes effect at once. */
	void (*io_intercept)(uint16_t port, bool on);
	/* Sleep in the VMM, in wait-for-SIPI, until *word is not 0. NMIs end the sleep. */
	void (*wait)(struct vcpu *v, const uint32_t *word);
	/* From NMI handler in host mode: make the coming entry exit at once. NULL where hardware
	 * does it. */
	void (*force_exit)(struct vcpu *v);
	/*
	 * From now on this CPU exits by itself (core/wake.h). wake_is_timer: `us` microseconds from
	 * its next entry, at most, in any state of the guest. Else: with each interrupt of the
	 * guest, at once, again and again, while the guest is idle, and after `us` microseconds if
	 * it takes interrupts and the answer says so. UINT64_MAX: no more. Returns what wakes it,
	 * in words.
	 */
	bool wake_is_timer;
	const char *(*wake)(struct vcpu *v, uint64_t us);
	/* It leaves the VMM, and nothing may be left of that. NULL: wake(UINT64_MAX) does it. */
	void (*wake_end)(void);
};

extern const struct vmm_ops vmm_ops_vt, vmm_ops_svm;
extern const struct vmm_ops *vmm_ops;
