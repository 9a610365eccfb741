/* Time in microseconds, and delays. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

/*
 * Measure the TSC against PIT channel 2, or take the frequency that the CPU states when the
 * measurement agrees. Context: boot CPU, start-up.
 */
void clock_init(void);
/* TSC ticks a second. */
uint64_t clock_tsc_hz(void);
/*
 * Microseconds since clock_init(), 64 bits: they never wrap, never go back on any CPU, and do not
 * follow what the guest writes to its TSC or its timers. From the invariant TSC; else from the ACPI
 * PM timer, the HPET, or the TSC as it is, in this order, known once INITCALL_PLATFORM has run.
 * Context: any but the NMI handler and a panic; may take a lock, which is innermost.
 */
uint64_t clock_us(void);
/*
 * The same by the TSC alone: no lock, and good for times up to seconds on one CPU. Context: any.
 */
uint64_t clock_rough_us(void);
/* What clock_us() counts: for the log and tests. */
const char *clock_source(void);
/* The guest is about to move (or has moved) this CPU's TSC by `ticks`. Context: exit handler. */
void clock_tsc_moved(uint64_t ticks);
/*
 * The machine falls asleep, and counters may begin anew: clock_us() says behind clock_wake() what
 * it said at clock_sleep(), and goes on. Context: only one CPU runs.
 */
void clock_sleep(void);
void clock_wake(void);
/* Busy wait. Context: any. */
void clock_delay_us(uint64_t us);
