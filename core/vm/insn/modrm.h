/* Length of a ModRM operand; shared by the two small decoders. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes that ModRM, SIB and displacement take (SDM volume 2A, tables 2-1 to 2-3) with 32- or 64-bit
 * addresses. Reads p[0], and p[1] when there is a SIB.
 */
static inline unsigned modrm_length_32(const uint8_t *p)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7;
	unsigned length = 1;

	if (mod == 3)
		return 1;
	if (rm == 4) {
		length = 2;
		rm = p[1] & 7; /* the base; 5 with mod 0 means disp32, as it does without a SIB */
	}
	if (mod == 1)
		return length + 1;
	return length + (mod == 2 || rm == 5 ? 4 : 0);
}

/* The same with 16-bit addresses. Reads p[0]. */
static inline unsigned modrm_length_16(const uint8_t *p)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7;

	if (mod == 3)
		return 1;
	if (mod == 1)
		return 2;
	return mod == 2 || rm == 6 ? 3 : 1;
}

/* For any address size in bytes (2, 4, 8); 0 when `n` bytes are too few. */
static inline unsigned modrm_length(const uint8_t *p, size_t n, unsigned address_size)
{
	if (n == 0 || (n == 1 && address_size != 2 && p[0] < 0xc0 && (p[0] & 7) == 4))
		return 0;
	unsigned length = address_size == 2 ? modrm_length_16(p) : modrm_length_32(p);
	return length <= n ? length : 0;
}
