/*
 * IA32_APIC_BASE: reserved bits, addresses beyond the CPU's, and x2APIC mode where there is none
 * are refused, and its own value is taken. (The APIC is never switched off, not even by a value
 * that is to be refused: it cannot be switched on again in every emulator.)
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(msr_apic_base, "SDM 3A 11.4.4 and 11.12.5, APM 2 16.3.1")
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	for (unsigned bit = 0; bit < 8; bit++)
		msr_refused(MSR_APIC_BASE, base | BIT(bit), "APIC_BASE");
	for (unsigned bit = cpuid(0x80000008, 0).eax & 0xff; bit < 64; bit++)
		msr_refused(MSR_APIC_BASE, base | BIT(bit), "APIC_BASE");
	if (!(cpuid(1, 0).ecx & BIT(21)))
		msr_refused(MSR_APIC_BASE, base | BIT(10), "APIC_BASE x2APIC");
	msr_taken(MSR_APIC_BASE, base, "APIC_BASE");
	CHECK_EQ(apic_read(APIC_ID) >> 24, 0, "the APIC answers");
}
