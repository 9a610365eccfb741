/*
 * EFER: each bit that CPUID does not announce is refused, each other one is taken, LME stays while
 * paging is on, and the VMM's own SVME is neither seen nor lost.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(msr_efer, "APM 2 3.1.7, SDM 3A 2.2.1")
{
	uint32_t ext_ecx = cpuid(0x80000001, 0).ecx, ext_edx = cpuid(0x80000001, 0).edx;
	uint64_t now = rdmsr(MSR_EFER), may = EFER_LME | EFER_LMA;

	if (ext_edx & BIT(11))
		may |= EFER_SCE;
	if (ext_edx & BIT(20))
		may |= EFER_NXE;
	if (ext_edx & BIT(25))
		may |= BIT(14); /* FFXSR */
	if (ext_ecx & BIT(2))
		may |= EFER_SVME;
	if (ext_ecx & BIT(17))
		may |= BIT(15); /* TCE */
	for (unsigned bit = 0; bit < 64; bit++) {
		/* AMD has further ones, LMSLE among them, that leaves elsewhere announce */
		if (bit == 13 || (bit >= 16 && bit <= 21) || bit == 12)
			continue;
		if (!(may >> bit & 1))
			msr_refused(MSR_EFER, now | BIT(bit), "EFER");
		else if (!(now >> bit & 1))
			msr_taken(MSR_EFER, now | BIT(bit), "EFER");
	}
	/* paging is on: LME stays */
	msr_refused(MSR_EFER, now & ~EFER_LME, "EFER without LME");
	if (may & EFER_SVME)
		msr_taken(MSR_EFER, now | EFER_SVME, "EFER SVME");
	else
		msr_refused(MSR_EFER, now | EFER_SVME, "EFER SVME");
}
