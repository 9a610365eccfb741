/*
 * XSAVE, XRSTOR and their kin: not there without OSXSAVE, aligned to 64 bytes, a header that is
 * checked; XSAVES where CPUID shows it.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static uint8_t area[1024] __attribute__((aligned(64)));

#define MAYBE(text, offset)                                                                        \
	({                                                                                         \
		__asm__ volatile(TRY(text) : : "r"(area + (offset)), "a"(3), "d"(0) : "memory");   \
		tried();                                                                           \
	})

GUEST_CASE(op_xsave, "SDM 2D XRSTOR, XSAVE, XSAVES, SDM 1 13.8; APM 4")
{
	uint32_t kinds;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		case_skip("no XSAVE");
	kinds = cpuid(0xd, 1).eax;
	CHECK_EQ(MAYBE("xsave (%0)", 0), VECTOR_UD, "without OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE | BIT(9));
	__asm__ volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
	memset(area, 0, sizeof(area));
	CHECK_EQ(MAYBE("xsave (%0)", 0), VECTOR_NONE, "XSAVE");
	CHECK_EQ(MAYBE("xrstor (%0)", 0), VECTOR_NONE, "XRSTOR");
	CHECK_EQ(MAYBE("xsave (%0)", 16), VECTOR_GP, "XSAVE not aligned");
	area[512 + 8] = 1;
	CHECK_EQ(MAYBE("xrstor (%0)", 0), VECTOR_GP, "XRSTOR header");
	area[512 + 8] = 0;
	area[512 + 7] = 0x40;
	CHECK_EQ(MAYBE("xrstor (%0)", 0), VECTOR_GP, "XRSTOR component");
	area[512 + 7] = 0;
	/* where it is not shown it may be there: AMD-V cannot take it away */
	CHECK_EQ(kinds & BIT(3) ? MAYBE("xsaves64 (%0)", 0) : VECTOR_NONE, VECTOR_NONE, "XSAVES");
	CHECK_EQ(kinds & BIT(3) ? MAYBE("xrstors64 (%0)", 0) : VECTOR_NONE, VECTOR_NONE, "XRSTORS");
	__asm__ volatile("fninit; xsetbv" : : "a"(1), "d"(0), "c"(0));
}
