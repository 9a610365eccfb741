/* From ticks of a counter to microseconds, across wraps, and in spite of a guest that writes it.
 * Pure. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/clock_count.h"

#define US UINT64_C(1000000)

uint64_t clock_factor(uint64_t hz)
{
	uint64_t factor = 0, rest = US;

	for (unsigned i = 0; i < 64; i++) { /* long division of 10^6 * 2^64 */
		rest <<= 1;
		factor <<= 1;
		if (rest >= hz) {
			rest -= hz;
			factor |= 1;
		}
	}
	return factor;
}

uint64_t clock_ticks_us(uint64_t factor, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)factor * ticks >> 64);
}

uint64_t clock_stated_hz(uint32_t eax, uint32_t ebx, uint32_t ecx)
{
	return eax && ebx && ecx ? (uint64_t)ecx * ebx / eax : 0;
}

/* `ticks` at one frequency, as ticks at another. */
static uint64_t convert(uint64_t ticks, uint64_t from_hz, uint64_t to_hz)
{
	return ticks / from_hz * to_hz + ticks % from_hz * to_hz / from_hz;
}

void clock_counter_init(struct clock_counter *c, unsigned bits, uint64_t hz, bool guest_writes,
			uint64_t tsc_hz, uint64_t raw, uint64_t tsc, uint64_t us)
{
	*c = (struct clock_counter){
	    .mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX,
	    .hz = hz,
	    .factor = clock_factor(hz),
	    .tsc_hz = tsc_hz,
	    .guest_writes = guest_writes,
	    .raw = raw,
	    .tsc = tsc,
	    .offset_us = us,
	};
}

/* Ticks since it was read last, or false: not to be believed. `expected`: what the TSC says. */
static bool moved_by(const struct clock_counter *c, uint64_t raw, uint64_t expected,
		     uint64_t *ticks)
{
	uint64_t delta = (raw - c->raw) & c->mask, half = c->mask / 2 + 1;

	/* the number of whole wraps that comes nearest to what is expected */
	if (c->mask != UINT64_MAX && expected > delta)
		delta += ((expected - delta + half) & ~c->mask);
	if (delta > expected && delta - expected > half)
		return false; /* backwards by a little, rather */
	*ticks = delta;
	if (!c->guest_writes)
		return true;
	uint64_t difference = delta > expected ? delta - expected : expected - delta;

	return difference <= expected / 8 + c->hz / 1000;
}

uint64_t clock_counter_us(struct clock_counter *c, uint64_t raw, uint64_t tsc)
{
	uint64_t passed = tsc - c->tsc, ticks;

	if (passed > UINT64_MAX / 2) /* another CPU's TSC is ahead of this one's */
		passed = 0;
	uint64_t expected = convert(passed, c->tsc_hz, c->hz);

	if (moved_by(c, raw, expected, &ticks)) {
		c->ticks += ticks;
		c->raw = raw;
		c->tsc = tsc;
	} else if (c->guest_writes) { /* set, reset or stopped: the TSC alone */
		c->ticks += expected;
		c->raw = raw;
		c->tsc = tsc;
	}
	return c->offset_us + clock_ticks_us(c->factor, c->ticks);
}
