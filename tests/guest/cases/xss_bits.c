/*
 * IA32_XSS: there exactly where CPUID shows XSAVES, and only with the components that it shows; the
 * VMM would have to switch all others.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define XSS 0xda0u

GUEST_CASE(xss_bits, "SDM 1 13.2 and 13.3, SDM 4 (IA32_XSS)")
{
	struct cpuid known = cpuid(0, 0).eax >= 0xd ? cpuid(0xd, 1) : (struct cpuid){0};
	uint64_t may = (uint64_t)known.edx << 32 | known.ecx, value;
	bool xsaves = known.eax & BIT(3);
	unsigned wrong = 0;

	CHECK_EQ(rdmsr_try(XSS, &value), xsaves ? VECTOR_NONE : VECTOR_GP, "read");
	for (unsigned bit = 0; bit < 64; bit++) {
		unsigned vector = wrmsr_try(XSS, BIT(bit));

		wrong += vector != (xsaves && may >> bit & 1 ? VECTOR_NONE : VECTOR_GP);
		if (vector == VECTOR_NONE)
			wrmsr_try(XSS, 0);
	}
	CHECK_EQ(wrong, 0, "bits");
}
