/*
 * CR3 in 64-bit mode: bits that no physical address has are refused, those below the address are
 * taken and mean nothing but PWT and PCD, without PCIDs.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

GUEST_CASE(cr3_bits, "SDM 3A 4.5.2, SDM 2B MOV CR, APM 2 3.1.2")
{
	uint64_t cr3 = read_cr3();

	for (unsigned bit = 3; bit < 5; bit++) {
		CHECK_EQ(try_cr3(cr3 | BIT(bit)), VECTOR_NONE, "CR3 bit-%u", bit);
		CHECK_EQ(read_cr3(), cr3 | BIT(bit), "CR3 bit-%u reads back", bit);
	}
	write_cr3(cr3);
	for (unsigned bit = cpuid(0x80000008, 0).eax & 0xff; bit < 63; bit++)
		CHECK_EQ(try_cr3(cr3 | BIT(bit)), VECTOR_GP, "CR3 bit-%u", bit);
	/* without PCIDs bit 63 is reserved as well */
	CHECK_EQ(try_cr3(cr3 | BIT(63)), VECTOR_GP, "CR3 bit-63");
	CHECK_EQ(read_cr3(), cr3, "CR3 unchanged");
}
