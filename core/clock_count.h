/* From ticks of a counter to microseconds, across wraps, and in spite of a guest that writes it.
 * Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * Factor for ticks of `hz` a second, above 1 MHz: 10^6 / hz as a fraction of 2^64, rounded down. So
 * a time is short by less than a microsecond after 2^64 ticks, and needs no division.
 */
uint64_t clock_factor(uint64_t hz);
/* Microseconds of `ticks`. 64 bits: they wrap after 584,000 years. */
uint64_t clock_ticks_us(uint64_t factor, uint64_t ticks);
/* The TSC's frequency as CPUID leaf 15h states it (SDM 2A, CPUID), or 0. */
uint64_t clock_stated_hz(uint32_t eax, uint32_t ebx, uint32_t ecx);

/*
 * A counter of `bits` bits that all CPUs read, watched by the TSC. Nobody may have read it for many
 * wraps (the VMM runs when the guest exits): the TSC says how many there were, and need only be
 * right to half a wrap. Where the guest can write the counter, the TSC says how much it can have
 * moved: what is far from that is not time.
 */
struct clock_counter {
	uint64_t mask; /* 2^bits - 1 */
	uint64_t hz, factor, tsc_hz;
	bool guest_writes;  /* the counter may be stopped, reset, or set */
	uint64_t raw, tsc;  /* when it was read last */
	uint64_t ticks;     /* then, since clock_counter_init() */
	uint64_t offset_us; /* time at clock_counter_init() */
};

/* The counter reads `raw` and the TSC `tsc` at time `us`. `bits`: 24 to 64. Frequencies in Hz. */
void clock_counter_init(struct clock_counter *c, unsigned bits, uint64_t hz, bool guest_writes,
			uint64_t tsc_hz, uint64_t raw, uint64_t tsc, uint64_t us);
/*
 * Time in microseconds, with both counters just read. Never less than before. Context: the caller's
 * lock on `c`, held since before they were read.
 */
uint64_t clock_counter_us(struct clock_counter *c, uint64_t raw, uint64_t tsc);
