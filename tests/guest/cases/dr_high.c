/* The high halves of DR6 and DR7 are reserved in 64-bit mode. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(dr_high, "SDM 3B 18.2.6, APM 2 13.1.1")
{
	for (unsigned bit = 32; bit < 64; bit++) {
		__asm__ volatile(TRY("movq %0, %%dr7") : : "r"(DR7_CLEAR | BIT(bit)));
		CHECK_EQ(tried(), VECTOR_GP, "DR7 bit-%u", bit);
		__asm__ volatile(TRY("movq %0, %%dr6") : : "r"(DR6_CLEAR | BIT(bit)));
		CHECK_EQ(tried(), VECTOR_GP, "DR6 bit-%u", bit);
	}
}
