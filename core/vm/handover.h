/* CPU hand-over: the three ways in which a CPU comes under the VMM or leaves it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/vm/vcpu.h"

struct cpu;

/* Registers of a caller that wants to go on as guest, as uefi_entry.S pushes them. */
struct handover_frame {
	uint64_t gpr[GPR_COUNT]; /* RSP: not used */
	uint64_t rflags;
	uint64_t cr3, efer; /* before the VMM's own were loaded */
	uint64_t image;     /* physical address of the image */
	uint64_t return_rip;
};

/*
 * The caller's CPU state becomes the guest's: the call returns 0 as guest, behind the instruction
 * that called the VMM. On failure it returns a negative errno natively. Context: any CPU once
 * start_init() is done, in the caller's address space extended by the VMM's, interrupts off.
 */
int vcpu_enter_here(const struct handover_frame *f);
/*
 * Start the guest on this CPU from `s` (`run_state` RUN_WAIT_FOR_SIPI: parked first). On failure
 * returns negative errno with VMX/SVM off. Context: on this CPU's block, host tables loaded.
 */
int vcpu_enter_at(const struct vcpu_state *s, enum run_state run_state);
/*
 * The guest's state becomes the CPU's and VMX/SVM is off. Does not return. Only while the guest's
 * address space still maps the image one to one (UEFI boot services). Context: exit handler.
 */
_Noreturn void vcpu_leave(struct vcpu *v);

/*
 * VMX/SVM is off and the CPU stops: it never ran guest code, or none that matters. Does not return.
 * Context: the calling CPU's own vcpu, host state loaded.
 */
_Noreturn void vcpu_retire(struct vcpu *v);
/*
 * Give the start up, on a BIOS machine: all CPUs but this one leave the VMM and wait for a start-up
 * IPI, as the BIOS had left them. Context: boot CPU, natively, before the guest has run.
 */
void handover_retire_others(void);
/*
 * Go on in `function` (which does not return) on the stack of `cpu`, the block of the CPU that runs
 * this. What lay on the current stack is given up. Context: interrupts off, a CPU not under the
 * VMM.
 */
_Noreturn void handover_on_stack(struct cpu *cpu, void (*function)(struct cpu *cpu));

/* State of a CPU in real mode at CS:IP = segment:offset, DL as given, other registers as after
 * reset. */
void handover_real_mode(struct vcpu_state *s, uint16_t segment, uint16_t offset, uint8_t dl);
