/*
 * Each CPU has MTRRs of its own: what one writes says nothing of another's. A range over the VMM's
 * memory is made in two steps, and in between the other CPU puts its own range elsewhere: on AMD-V,
 * where the registers are the machine's, the second step is without effect all the same (bug class
 * 13).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define CAP     0xfeu
#define BASE    0x200u
#define MASK    0x201u
#define TYPE_UC 0u
#define VALID   BIT(11)
#define OTHER   UINT64_C(0xe0000000)

static void write_base(void *arg)
{
	wrmsr(BASE, (uintptr_t)arg | TYPE_UC);
}

static volatile uint64_t seen;

static void read_base(void *arg)
{
	(void)arg;
	seen = rdmsr(BASE);
}

GUEST_CASE(region_mtrr_cpus,
	   "SDM 3A 12.11.8, APM 2 7.7.5; the VMM's promise: Documentation/memory-map.md", .cpus = 2)
{
	struct region r = region_get();
	uint64_t space = BIT(cpuid(0x80000008, 0).eax & 0xff) - 1, base, mask, whole;

	if (!(cpuid(1, 0).edx & BIT(12)) || !(rdmsr(CAP) & 0xff))
		case_skip("no variable MTRRs");
	base = rdmsr(BASE);
	mask = rdmsr(MASK);
	whole = space & ~(BIT(30) - 1); /* 1 GiB: the region does not lie over its border */
	for (unsigned turn = 0; turn < 4; turn++) {
		uint64_t own = r.base & whole;

		wrmsr(MASK, 0);
		wrmsr(BASE, own | TYPE_UC);
		cpu_call(1, write_base, (void *)OTHER);
		CHECK_EQ(rdmsr(BASE), own, "turn %u base", turn);
		wrmsr(MASK, whole | VALID);
		if (cpuid(0, 0).ebx != 0x756e6547) /* "Genu": there the guest has copies */
			CHECK_EQ(rdmsr(MASK) & VALID, 0, "turn %u range", turn);
		cpu_call(1, read_base, NULL);
		CHECK_EQ(seen, OTHER, "turn %u base of the other CPU", turn);
		*(volatile uint64_t *)(r.base + 8 * turn) = 0;
		CHECK_EQ(*(volatile uint64_t *)(r.base + 8 * turn), REGION_ONES, "turn %u memory",
			 turn);
		wrmsr(MASK, mask);
		wrmsr(BASE, base);
		cpu_call(1, write_base, (void *)(uintptr_t)base);
	}
	region_check(&r, "end");
}
