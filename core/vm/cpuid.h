/* CPUID as the guest sees it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/features.h"
#include "core/vm/vcpu.h"

extern struct features guest_features; /* resolved once; constant while guests run */

extern uint64_t cpuid_cr4_hidden; /* CR4 bits that the CPU takes and the guest must not set */

/* Resolve the feature table for this machine. Context: boot CPU, after vmm_ops->init(). */
void cpuid_init(void);
/* Execute the guest's CPUID: RAX to RDX. Context: exit handler; lean. */
void cpuid_emulate(struct vcpu *v);
