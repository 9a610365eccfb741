/* The x2APIC. Runs last: the way back to the xAPIC leads through a disabled APIC. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/bench.h"

#define CPUID1_X2APIC  BIT(21)
#define APIC_BASE_EXTD BIT(10)
#define MSR_X2APIC_TPR 0x808u
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_ICR 0x830u

GUEST_CASE(bench_x2apic, "")
{
	if (!(cpuid(1, 0).ecx & CPUID1_X2APIC))
		case_skip("no x2APIC");
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	BENCH("x2apic-tpr", wrmsr(MSR_X2APIC_TPR, 0));
	BENCH("x2apic-eoi", wrmsr(MSR_X2APIC_EOI, 0));
	BENCH("x2apic-icr-self", wrmsr(MSR_X2APIC_ICR, 0x40000 | 0x4000 | 0x40));
}
