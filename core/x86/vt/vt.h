/* VT-x back end: what its files share. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include "core/vm/vcpu.h"
#include "core/x86/vt/controls.h"
#include "core/x86/vt/vmcs.h"

extern struct vt_controls vt_controls;
/* CR0 and CR4 bits that the host owns: the guest reads their read shadow, and changing them exits.
 */
extern uint64_t vt_cr0_mask, vt_cr4_mask;

/* A CPU's private block, struct vcpu.vendor. */
struct vt_cpu {
	bool current; /* its VMCS is the CPU's current one: VMREAD and VMWRITE work, also in the NMI
			 handler */
	bool wakes;   /* vt_wake() has armed the preemption timer */
	bool mwait;   /* in the guest's MWAIT, with activity state HLT, until the next exit */
};

static inline struct vt_cpu *vt_cpu(const struct vcpu *v)
{
	return v->vendor;
}

/* Guest interruptibility state (SDM 3C table 25-3) and activity state (25.4.2). */
#define VT_BLOCKED_STI    (UINT32_C(1) << 0)
#define VT_BLOCKED_MOV_SS (UINT32_C(1) << 1)
#define VT_BLOCKED_SMI    (UINT32_C(1) << 2)
#define VT_BLOCKED_NMI    (UINT32_C(1) << 3)

enum vt_activity { VT_ACTIVE, VT_HLT, VT_SHUTDOWN, VT_WAIT_FOR_SIPI };

/* Interruption information (25.8.3, 25.9.2, 25.9.3): vector 7:0, type 10:8, then flags. */
#define VT_EVENT_VECTOR(info)  ((info)&0xff)
#define VT_EVENT_TYPE(info)    ((info) >> 8 & 7)
#define VT_EVENT_ERROR_VALID   (UINT32_C(1) << 11)
#define VT_EVENT_UNBLOCKED_NMI (UINT32_C(1) << 12) /* exits only: by an IRET that faulted */
#define VT_EVENT_VALID         (UINT32_C(1) << 31)

enum vt_event_type {
	VT_EVENT_INTR = 0,
	VT_EVENT_NMI = 2,
	VT_EVENT_EXCEPTION = 3,
	VT_EVENT_SOFT_INT = 4,
	VT_EVENT_PRIVILEGED = 5,
	VT_EVENT_SOFT_EXCEPTION = 6
};

/* Pending debug exceptions (25.4.2). */
#define VT_PENDING_BS (UINT64_C(1) << 14)

/* VMREAD and VMWRITE of fields that this CPU has. Context: the VMCS is current. */
static inline uint64_t vt_read(enum vmcs_field field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline uint32_t vt_read32(enum vmcs_field field)
{
	return (uint32_t)vt_read(field);
}

static inline void vt_write(enum vmcs_field field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(value) : "cc");
}

/* From assembly: one exit, from its arrival to the next entry; and an entry that did not happen. */
/*
 * Before vt_exit(), when no work is pending: answers the frequent exits where nothing else is to be
 * done, and returns VT_EXIT_DONE. Otherwise nothing has changed, it returns `reason`, and vt_exit()
 * follows with it.
 */
uint32_t vt_exit_lean(struct vcpu *v, uint32_t reason);
#define VT_EXIT_DONE UINT32_MAX /* no exit reason: bits 30:28 and others are 0 there */
void vt_exit(struct vcpu *v, uint32_t reason);
_Noreturn void vt_entry_failed(struct vcpu *v);
_Noreturn void vt_run_loop(struct vcpu *v);
extern const char vt_exit_entry[]; /* the host's RIP */

/* exit.c: RIP behind the exiting instruction of `length` bytes; interrupt shadow and TF as
 * hardware. */
void vt_advance(struct vcpu *v, unsigned length);
void vt_inject(struct vcpu *v, const struct event *e);
bool vt_pending_event(const struct vcpu *v, struct event *e);
void vt_inject_nmi(struct vcpu *v);
/* From the NMI handler: the preemption timer ends the coming entry before its first instruction. */
void vt_force_exit(struct vcpu *v);

/* wake.c: the preemption timer as alarm clock (struct vmm_ops.wake), and the guest's MWAIT
 * meanwhile. */
const char *vt_wake(struct vcpu *v, uint64_t us);
enum exit_result vt_exit_mwait(struct vcpu *v);
/* MWAIT is over, if the guest is in one: at each exit that can end it. */
void vt_mwait_end(struct vcpu *v);

/* vt.c: the activity state follows struct vcpu.run_state. */
void vt_activity_update(struct vcpu *v);
/* The guest's PAE PDPTEs come from the table at `cr3`; false where MOV CR gives #GP (SDM 3A 4.4.1).
 */
bool vt_load_pdptes(uint64_t cr3);
/* Drop what is cached of the guest's own translations, as MOV CR does that switches paging. */
void vt_flush_linear(void);
/* Execute a write to CR0 whose legality has been checked; LMA follows paging. */
void vt_cr0_set(uint64_t value);
