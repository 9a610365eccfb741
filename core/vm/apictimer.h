/* The boot CPU's local APIC timer, shared by the guest and the VMM: it wakes the VMM on AMD-V. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * The timer is the guest's. While the VMM wants to run at a time, it counts to what comes first:
 * the guest's end, with the guest's vector, or the VMM's, with a vector of its own. Each interrupt
 * of the boot CPU then exits and is acknowledged by the VMM, so that it sees its own and what the
 * timer has sent; all others are injected. The guest's accesses to the registers of the timer exit,
 * and by loads and stores of 4 bytes it finds what it would without the VMM. Behind the sharing the
 * initial count is what was left, until the guest writes it.
 *
 * That needs an xAPIC where firmware left it, switched on, whose spurious vector is the VMM's (one
 * that somebody sends all the same may be lost), a timer in one-shot mode, and no 8259 behind
 * LINT0, which would answer an acknowledgement in the APIC's place. Linux has it so when it has
 * started, unless it uses the x2APIC; else the timer stays the guest's alone.
 *
 * Context of all: the boot CPU's exits, with GIF = 1 where that exists. With GIF = 0
 * apictimer_end() may leave an interrupt owed, which a later exit takes.
 */

/*
 * Wake in `us` microseconds, or earlier. UINT64_MAX: nothing is waited for; after a while the
 * guest's accesses do not exit any more. False: the timer cannot be had now, and nothing is armed.
 */
bool apictimer_wake(uint64_t us);
/* The guest has its timer back. */
void apictimer_end(void);
/* Behind S3: the APIC has been reset, and nothing is armed. */
void apictimer_forget(void);
/* Must interrupts exit? While the timer is shared, and while one of the VMM's waits in the APIC. */
bool apictimer_needs_exits(void);

/* Of apictimer_accept(), besides a vector. */
enum {
	APICTIMER_NONE = -1,    /* none, or the VMM's: there is nothing to inject */
	APICTIMER_NOT_NOW = -2, /* not acknowledged: the timer is the guest's alone */
};
/* An interrupt is about to be taken: acknowledge it. The vector to be injected, or one of the
 * above. */
int apictimer_accept(void);

/*
 * The guest's accesses of 4 bytes to a register. False: it is an access like any other. A store may
 * end the sharing.
 */
bool apictimer_load(uint32_t offset, uint32_t *value);
bool apictimer_store(uint32_t offset, uint32_t value);
