/*
 * CR0 in 64-bit mode: bits and combinations that do not exist are refused, every other value is
 * taken and reads back, whatever the VMM keeps fixed in the real register (bug classes 14, 15).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

GUEST_CASE(cr0_bits, "SDM 3A 2.5, APM 2 3.1.1")
{
	static const uint64_t bits[] = {CR0_MP, CR0_EM, CR0_TS, CR0_NE, CR0_WP, CR0_AM, CR0_CD};
	uint64_t now = read_cr0();

	for (unsigned bit = 32; bit < 64; bit++)
		CHECK_EQ(try_cr0(now | BIT(bit)), VECTOR_GP, "CR0 bit-%u", bit);
	CHECK_EQ(try_cr0(now | CR0_NW), VECTOR_GP, "CR0 NW without CD");
	CHECK_EQ(read_cr0(), now, "CR0 unchanged");
	for (unsigned n = 0; n < 128; n++) {
		uint64_t value = CR0_PE | CR0_PG | CR0_ET;

		for (unsigned i = 0; i < 7; i++)
			value |= n >> i & 1 ? bits[i] : 0;
		CHECK_EQ(try_cr0(value), VECTOR_NONE, "CR0 %#lx", value);
		CHECK_EQ(read_cr0(), value, "CR0 %#lx reads back", value);
	}
	write_cr0(now);
}
