/*
 * CPUID bits that show the state of a register: OSXSAVE and OSPKE follow CR4 on each CPU by itself,
 * leaf D's size follows XCR0, and the VMM's lean path must not remember them (bug class 17).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint32_t other;

static void look(void *arg)
{
	(void)arg;
	other = cpuid(1, 0).ecx >> 27 & 1;
}

GUEST_CASE(cpuid_mirror, "SDM 2A CPUID (1, 7, 0Dh), APM 3 CPUID")
{
	uint64_t cr4 = read_cr4();

	if (!(cpuid(1, 0).ecx & BIT(26)))
		case_skip("no XSAVE");
	for (unsigned n = 0; n < 4; n++) {
		write_cr4(n & 1 ? cr4 | CR4_OSXSAVE : cr4 & ~CR4_OSXSAVE);
		CHECK_EQ(cpuid(1, 0).ecx >> 27 & 1, n & 1, "OSXSAVE %u", n);
		if (cpu_count() > 1) {
			cpu_call(1, look, NULL);
			CHECK_EQ(other, 0, "OSXSAVE of another CPU %u", n);
		}
	}
	for (uint32_t xcr0 = 1; xcr0 <= 7; xcr0 += xcr0 + 1) {
		if (xcr0 & ~cpuid(0xd, 0).eax)
			continue;
		__asm__ volatile("xsetbv" : : "a"(xcr0), "d"(0), "c"(0));
		CHECK_EQ(cpuid(0xd, 0).ebx, xcr0 == 7 ? 832 : 576, "size %#x", xcr0);
		CHECK(cpuid(0xd, 0).ecx >= cpuid(0xd, 0).ebx, "largest size %#x", xcr0);
	}
	__asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
	write_cr4(cr4);
}
