/* Small steps that exit handlers share: exceptions, skipping, operand fetch. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/vm/insn/length.h"
#include "core/vm/vcpu.h"
#include "core/vmm_ops.h"

/*
 * Deliver an exception with an error code (pass 0 where the vector has none) instead of the
 * instruction, or instead of the event whose delivery the exit hit: both together may be a double
 * fault, or end in a reset (event_merge()). An NMI that was to be delivered waits behind it.
 */
void emulate_exception(struct vcpu *v, uint8_t vector, uint32_t error);
/* The same for a fault that an emulated access has found; a page fault takes its address to CR2. */
void emulate_fault(struct vcpu *v, uint8_t vector, uint32_t error, uint64_t cr2);
/*
 * A repeated string instruction stops between two elements, as on the CPU: single-step trap,
 * interrupts, and no instruction breakpoint when it goes on (SDM 3B 18.3.1.1).
 */
enum exit_result emulate_string_pause(struct vcpu *v);
/* The guest's CPU enters shutdown: what a PC does is a reset. */
_Noreturn void emulate_shutdown(void);
/*
 * The CPU has refused the guest's state. What a guest did must not stop the VMM: once it has run,
 * it gets a shutdown. Returns when it was the first entry, which is the VMM's fault.
 */
void emulate_entry_failed(const struct vcpu *v);
/* #GP(0) and #UD; for use in return statements. */
enum exit_result emulate_gp(struct vcpu *v);
enum exit_result emulate_ud(struct vcpu *v);
/* Default operand and address size at the guest's CS. */
enum insn_mode emulate_mode(struct vcpu *v);
/*
 * Length of the exiting instruction, known to be of `kind`, for CPUs that do not tell. Negative
 * when the bytes in memory are others by now: the caller resumes, and the CPU executes what is
 * there. `fields` may be NULL.
 */
int emulate_length(struct vcpu *v, enum insn_kind kind, struct insn_fields *fields);
/* General registers of the exiting guest by ModRM number, RSP included. */
static inline uint64_t emulate_gpr(struct vcpu *v, unsigned reg)
{
	return reg == GPR_RSP ? vmm_ops->reg(v, REG_RSP) : v->gpr[reg];
}

void emulate_set_gpr(struct vcpu *v, unsigned reg, uint64_t value);
