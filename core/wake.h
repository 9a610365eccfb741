/* Waking the VMM without the guest's help, while a service asks for it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/wake_plan.h"

/*
 * Threads run at exits, and a guest that computes or sleeps makes none. While somebody asks, one
 * CPU (the boot CPU) comes into the VMM in time: when a timer is due, and so often that each thread
 * that can run has its turn within the shortest bound that is asked for. When nobody asks, nothing
 * is armed and no exit is added; the same while no thread is runnable and no timer is set.
 *
 * On VT-x the preemption timer wakes it, which is tried when it is first needed; on AMD-V the timer
 * of the local APIC, which the guest shares without seeing it, with the guest's idle time spent in
 * the VMM. Where that cannot be, the guest's own interrupts do, and a guest that computes is late
 * by as much as these are apart (Documentation/architecture.md).
 */

/*
 * Ask: from now on, until wake_end(), the VMM runs within `bound_us` microseconds, WAKE_SHORTEST_US
 * at least. `w` is the caller's, zeroed before its first use; who asks already changes the bound. 0
 * or -EINVAL. Context: any CPU, start-up, threads; takes locks.
 */
int wake_ask(struct wake *w, uint64_t bound_us);
/* Ask no more. Context: as wake_ask(). */
void wake_end(struct wake *w);

/* From schedule(), behind a turn, while somebody asks: arm for what is due next. Context: a CPU's
 * own code, at the end of an exit. */
void wake_next(void);
/* From the timer: it has made this CPU exit. Context: exit handler. */
void wake_came(void);

/* The boot CPU leaves the VMM: nothing is armed any more. Context: its exit handler. */
void wake_stop(void);

/* For tests and reports. */
struct wake_report {
	const char *means; /* "" until one has been needed */
	uint64_t bound_us; /* UINT64_MAX: nobody asks */
	uint64_t armed_us; /* when the next wake-up is due, by clock_us(); UINT64_MAX: none */
	uint64_t wakes;    /* so far, by the timer */
};
void wake_report(struct wake_report *r);
