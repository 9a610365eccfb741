/*
 * Addresses in MSRs must be canonical: the VMM must refuse what the CPU would, or its own WRMSR
 * faults, or the next VM entry fails (CVE-2014-3610). All others are taken. AMD's CPUs have no
 * SYSENTER in 64-bit mode, and the manual no rule for its addresses.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/msr.h"

GUEST_CASE(msr_address, "SDM 2C WRMSR, SDM 4 table 2-2, APM 2 appendix A")
{
	static const struct {
		uint32_t msr;
		const char *name;
	} list[] = {
	    {MSR_FS_BASE, "FS_BASE"},
	    {MSR_GS_BASE, "GS_BASE"},
	    {MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE"},
	    {MSR_LSTAR, "LSTAR"},
	    {0xc0000083, "CSTAR"},
	};
	static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
				       0x1000000000000},
			      good[] = {0x00007fffffffffff, 0xffff800000000000, ~UINT64_C(0), 0};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		for (unsigned n = 0; n < 4; n++)
			msr_refused(list[i].msr, bad[n], list[i].name);
		for (unsigned n = 0; n < 4; n++)
			msr_taken(list[i].msr, good[n], list[i].name);
	}
	for (unsigned n = 0; n < 4 && cpuid(0, 0).ebx == 0x756e6547; n++) {
		msr_refused(0x175, bad[n], "SYSENTER_ESP");
		msr_refused(0x176, bad[n], "SYSENTER_EIP");
	}
	msr_taken(MSR_SYSENTER_CS, 8, "SYSENTER_CS");
	msr_taken(0x175, 0x123456789000, "SYSENTER_ESP");
	msr_taken(0x176, 0xffffffff80000000, "SYSENTER_EIP");
}
