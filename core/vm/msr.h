/* RDMSR and WRMSR of the guest that exit. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "core/vm/msr_policy.h"
#include "core/vm/vcpu.h"

/* What the policy table's verdicts depend on; set by msr_init(). */
extern struct msr_policy_env msr_env;
/* Context: boot CPU, after cpuid_init() and startup_init(). */
void msr_init(void);
/* What the guest reads from a register that many read at their start. Lean. */
struct msr_value msr_read_lean(uint32_t index);
/* Execute the exiting RDMSR or WRMSR by policy; the register number is in RCX. */
enum exit_result msr_read(struct vcpu *v);
enum exit_result msr_write(struct vcpu *v);
