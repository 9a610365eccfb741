/*
 * The sequence for changing MTRRs and the PAT, as operating systems carry it out at start: on all
 * CPUs at once, caches off (CR0.CD), flushed, MTRRs off, changed, on again. Values read back, data
 * is what it was, and no CPU is lost (bug classes 13 and 14).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define MSR_MTRR_CAP  0xfeu
#define MSR_MTRR_BASE 0x200u
#define MSR_MTRR_MASK 0x201u
#define MSR_MTRR_TYPE 0x2ffu
#define TYPE_UC       0u
#define VALID         BIT(11)
#define PAT           UINT64_C(0x0007010600070106) /* WC in place of WT */

static volatile uint32_t arrived, wrong;
static uint8_t *page;

static void meet(uint32_t count)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	while (arrived < count)
		cpu_relax();
}

static void change(void *arg)
{
	uint32_t cpus = cpu_count(), step = 0;
	uint64_t cr0 = read_cr0(), type, pat = rdmsr(MSR_PAT), base = rdmsr(MSR_MTRR_BASE),
		 mask = rdmsr(MSR_MTRR_MASK);

	(void)arg;
	meet(cpus * ++step);
	write_cr0(cr0 | CR0_CD);
	__asm__ volatile("wbinvd" : : : "memory");
	write_cr3(read_cr3());
	type = rdmsr(MSR_MTRR_TYPE);
	wrmsr(MSR_MTRR_TYPE, type & ~VALID);
	wrmsr(MSR_MTRR_BASE, (uintptr_t)page | TYPE_UC);
	wrmsr(MSR_MTRR_MASK, UINT64_C(0xffffff000) | VALID);
	wrmsr(MSR_PAT, PAT);
	__atomic_add_fetch(&wrong,
			   rdmsr(MSR_MTRR_BASE) != ((uintptr_t)page | TYPE_UC) ||
			       rdmsr(MSR_MTRR_MASK) != (UINT64_C(0xffffff000) | VALID) ||
			       rdmsr(MSR_PAT) != PAT || rdmsr(MSR_MTRR_TYPE) != (type & ~VALID),
			   __ATOMIC_SEQ_CST);
	__asm__ volatile("wbinvd" : : : "memory");
	write_cr3(read_cr3());
	wrmsr(MSR_MTRR_TYPE, type);
	write_cr0(cr0);
	meet(cpus * ++step);
	__atomic_add_fetch(&page[cpu_index()], 1, __ATOMIC_SEQ_CST);
	meet(cpus * ++step);
	write_cr0(cr0 | CR0_CD);
	__asm__ volatile("wbinvd" : : : "memory");
	wrmsr(MSR_MTRR_BASE, base);
	wrmsr(MSR_MTRR_MASK, mask);
	wrmsr(MSR_PAT, pat);
	write_cr3(read_cr3());
	write_cr0(cr0);
	meet(cpus * ++step);
}

GUEST_CASE(mtrr_all, "SDM 3A 12.11.7.2 and 12.11.8, 12.12.4; APM 2 7.7.5")
{
	uint32_t sum = 0;

	if (!(cpuid(1, 0).edx & BIT(12)) || !(rdmsr(MSR_MTRR_CAP) & 0xff))
		case_skip("no variable MTRRs");
	page = page_alloc();
	wrong = 0;
	for (unsigned n = 0; n < 5; n++) {
		arrived = 0;
		for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
			cpu_start(cpu, change, NULL);
		change(NULL);
		for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
			cpu_wait(cpu);
	}
	for (unsigned n = 0; n < 4096; n++)
		sum += page[n];
	CHECK_EQ(wrong, 0, "registers");
	CHECK_EQ(sum, 5 * cpu_count(), "memory");
	CHECK_EQ(read_cr0() & CR0_CD, 0, "CD");
}
