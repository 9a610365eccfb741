/* Numbers for tests that try much: the same ones in each run. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>

/* The next one of all 64-bit numbers but 0 (Marsaglia's xorshift). Each test program has its own
 * row. */
static inline uint64_t random64(void)
{
	static uint64_t seed = 0x9e3779b97f4a7c15;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}
