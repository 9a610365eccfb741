/*
 * XCR0: components that CPUID does not show, and combinations that make no sense, are refused, the
 * others read back, CPUID's sizes follow; without OSXSAVE the instructions are not there. An XSETBV
 * that the VMM carries out must not fault in the VMM (bug class 15).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/try.h"

GUEST_CASE(xcr0_bits, "SDM 1 13.3, SDM 2D XSETBV, APM 2 11.5.2")
{
	uint32_t known = cpuid(0xd, 0).eax;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		case_skip("no XSAVE");
	CHECK_EQ(try_xsetbv(0, 1), VECTOR_UD, "XSETBV without OSXSAVE");
	__asm__ volatile(TRY("xgetbv") : : "c"(0) : "eax", "edx");
	CHECK_EQ(tried(), VECTOR_UD, "XGETBV without OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	CHECK_EQ(try_xsetbv(0, 0), VECTOR_GP, "XCR0 without x87");
	CHECK_EQ(try_xsetbv(0, 2), VECTOR_GP, "XCR0 SSE without x87");
	CHECK_EQ(try_xsetbv(0, 5), VECTOR_GP, "XCR0 AVX without SSE");
	CHECK_EQ(try_xsetbv(1, 1), VECTOR_GP, "XCR1");
	CHECK_EQ(try_xsetbv(0x80000000, 1), VECTOR_GP, "XCR 80000000");
	for (unsigned bit = 0; bit < 64; bit++) {
		if (bit >= 32 || !(known >> bit & 1))
			CHECK_EQ(try_xsetbv(0, 3 | BIT(bit)), VECTOR_GP, "XCR0 bit-%u", bit);
	}
	for (uint64_t value = 1; value <= 7; value += value + 1) {
		if ((value & ~(uint64_t)known) == 0) {
			CHECK_EQ(try_xsetbv(0, value), VECTOR_NONE, "XCR0 %#lx", value);
			CHECK_EQ(read_xcr0(), value, "XCR0 %#lx reads back", value);
			/* 512 bytes and a header of 64, then AVX's 256 */
			CHECK_EQ(cpuid(0xd, 0).ebx, value == 7 ? 832 : 576, "size at XCR0 %#lx",
				 value);
		}
	}
	try_xsetbv(0, 1);
}
