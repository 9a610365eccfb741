/* Audits of the debug image: what no emulator checks is checked before each entry. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/vm/vcpu.h"

/* In the product these calls compile to nothing, and the linker drops what they would call. */
#ifdef CONFIG_TEST_CALLS
enum { AUDIT = 1 };
#else
enum { AUDIT = 0 };
#endif

/*
 * Flush debt: taking a right from the nested tables opens a debt of every CPU, and a flush on a CPU
 * closes its part. The debt is due when the CPU that took the right enters its guest again: it has
 * had the time to make all others flush. No entry with an open debt that is due passes.
 */
/* struct pt.taken of the nested tables. Context: any CPU, the tables' lock; and start-up. */
void audit_taken(void *arg);
/* This CPU drops its nested translations now, or has none. */
void audit_flushed(void);
/* Rights in the debt that is due and that this CPU has not flushed; 0: none. Context: before an
 * entry. */
uint64_t audit_debt(void);

/* What the back ends call, each followed by its own name. Context: the CPU of `v`. */
void svm_audit_start(struct vcpu *v);
void svm_audit_exit(struct vcpu *v);
void svm_audit_entry(struct vcpu *v);
void vt_audit_entry(struct vcpu *v);

/* The guest's CPU has never run, and nothing is cached of its VMCB or the nested tables. */
static inline void audit_svm_start(struct vcpu *v)
{
	if (AUDIT)
		svm_audit_start(v);
}

/* Directly behind #VMEXIT: the VMCB is as the CPU has left it. */
static inline void audit_svm_exit(struct vcpu *v)
{
	if (AUDIT)
		svm_audit_exit(v);
}

/* Directly before VMRUN: panics when the VMCB breaks a rule. */
static inline void audit_svm_entry(struct vcpu *v)
{
	if (AUDIT)
		svm_audit_entry(v);
}

/* Directly before VMLAUNCH or VMRESUME: panics when the VMCS breaks a rule. */
static inline void audit_vt_entry(struct vcpu *v)
{
	if (AUDIT)
		vt_audit_entry(v);
}

/* Before INVEPT, or where nothing of the nested tables can be cached. */
static inline void audit_vt_flush(void)
{
	if (AUDIT)
		audit_flushed();
}
