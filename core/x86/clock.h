/* Time in microseconds, and delays. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

/* Measure the TSC against PIT channel 2, or take the frequency the CPU states. Context: boot CPU,
 * start-up. */
void clock_init(void);
/* TSC ticks a second. */
uint64_t clock_tsc_hz(void);
/* Microseconds since clock_init(), 64 bits: never wraps. Context: any. */
uint64_t clock_us(void);
/* Busy wait. Context: any. */
void clock_delay_us(uint64_t us);
