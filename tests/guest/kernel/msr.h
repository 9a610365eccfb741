/* MSRs that must refuse a value, or take it; and those that never reach the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "tests/guest/kernel/guest.h"

/* What there is of MSRs: Intel's and AMD's ranges, and where hypervisors have theirs. */
#define MSR_RANGES 4u
extern const struct msr_numbers {
	uint32_t first, last;
} msr_ranges[MSR_RANGES];
/* Counters and clocks: their values are nothing to compare. */
bool msr_moves(uint32_t msr);

/* The value gives #GP and changes nothing; nothing is done where the register is not there. */
void msr_refused(uint32_t msr, uint64_t value, const char *name);
/* The value is taken and reads back; behind it the register is as before. */
void msr_taken(uint32_t msr, uint64_t value, const char *name);
struct msr_range {
	uint32_t first, last;
	uint64_t may; /* bits that may change */
};

/*
 * Registers that the VMM keeps for itself: whatever the guest writes to those of the list, each bit
 * by itself, ones, nothing, and the address of the VMM's memory, is refused or has no effect: the
 * value reads as before but for the bits of `may`, and the VMM's memory reads as ones. Writing at
 * CPL 3 is #GP. Skips without the VMM.
 */
void msr_never(const struct msr_range *list, unsigned count);
