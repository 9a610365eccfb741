/* Exceptions and NMIs that hit the VMM itself. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "core/vm/vcpu.h"

#define VECTOR_WAKE 255 /* the VMM's own; see core/vm/apictimer.h */

struct trap_frame {
	uint64_t gpr[GPR_COUNT];
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Fill the IDT, once, before any CPU loads it. Context: boot CPU. */
void trap_init(void);
/* Load the IDT on this CPU. */
void trap_load(void);
/* From assembly: every exception and NMI in host mode. */
void trap_handle(struct trap_frame *f);
/*
 * Acknowledge the interrupt that waits, if one does: the highest, which is in service then. Its
 * vector, or -1. One with vector 2 is taken for an NMI. Context: boot CPU, interrupts off, GIF = 1.
 */
int trap_accept_interrupt(void);
/* Sleep until *word is not 0; ended by NMIs. Context: interrupts off, GIF = 1. */
void cpu_wait(const uint32_t *word);
