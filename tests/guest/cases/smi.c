/*
 * SMIs by the APM control port while instructions exit, and writes of it where nothing listens: the
 * CPU comes back with all its registers, and still under the VMM (bug class 45).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/smi.h"

#define COUNT 1000u

GUEST_CASE(smi, "SDM 3C 31.3 and 31.4, APM 2 10.3")
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	struct cpuid before = cpuid(1, 0), after;
	uint64_t end, hole = memory_missing(&end);
	const volatile uint32_t *count = smi_handler_set();
	uint32_t counted = smi_counted();
	uint32_t wrong = 0;

	for (uint32_t n = 0; n < COUNT; n++) {
		uint64_t a = n * UINT64_C(0x9e3779b97f4a7c15), b = a;

		__asm__ volatile("outb %%al, $0xb2"
				 : "+r"(b)
				 : "a"(0x55)
				 : "memory"); /* firmware does not know this one */
		wrong += a != b;
		wrong += cpuid(0, 0).eax == 0;
	}
	after = cpuid(1, 0);
	case_value("SMIs: handler %u, CPU %u", *count, smi_counted() - counted);
	CHECK_EQ(wrong, 0, "registers");
	CHECK_EQ(read_cr0(), cr0, "CR0");
	CHECK_EQ(read_cr3(), cr3, "CR3");
	CHECK_EQ(read_cr4(), cr4, "CR4");
	CHECK_EQ(rdmsr(MSR_EFER), efer, "EFER");
	CHECK_EQ(after.ecx, before.ecx, "CPUID");
	if (hole)
		CHECK_EQ(*(volatile uint64_t *)hole, ~UINT64_C(0), "the VMM's memory");
	else
		CHECK_EQ(hole, 0, "the VMM's memory");
}
