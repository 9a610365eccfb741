/*
 * SMIs as messages of a device, to this CPU and to another one that exits all the while: each comes
 * back with its registers, computes, and is still under the VMM, which has no part in it (bug
 * classes 35 and 45).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"
#include "tests/guest/kernel/smi.h"

#define SMI   0x200u /* delivery mode 010b, vector 0 */
#define COUNT 100u

static volatile uint32_t stop, wrong, rounds;

/* Exits of each weight, with something in registers. */
static void compute(void *arg)
{
	uint64_t efer = rdmsr(MSR_EFER), cr3 = read_cr3();

	(void)arg;
	for (uint64_t n = 0; !stop; n++) {
		uint64_t a = n * UINT64_C(0x9e3779b97f4a7c15), b = a, c = ~a;

		__asm__ volatile("cpuid" : "+r"(b), "+r"(c) : "a"(0), "c"(0) : "rbx", "rdx");
		wrmsr(MSR_EFER, efer);
		wrong += a != b || ~a != c || rdmsr(MSR_EFER) != efer || read_cr3() != cr3;
		rounds++;
	}
}

/* One SMI, and until the handler has counted it, if that is ours. */
static void send(unsigned cpu, const volatile uint32_t *count)
{
	uint32_t before = *count;

	edu_msi(ADDRESS | cpu << 12, SMI);
	edu_raise(1);
	for (unsigned n = 0; n < 100; n++)
		cpuid(0, 0);
	if (before)
		cpu_wait_for(count, before + 1);
	edu_clear(1);
	edu_msi_off();
}

GUEST_CASE(msi_smi, "SDM 3A 11.11.2, SDM 3C 32.3 and 32.4, APM 2 10.3 and 15.22")
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	const volatile uint32_t *count = smi_handler_set();
	uint32_t counted = smi_counted();
	unsigned last = cpu_count() - 1;
	uint32_t started = cpu_state(last)->started;
	struct cpuid before = cpuid(1, 0);
	struct region r = region_like();

	edu_find();
	for (unsigned n = 0; n < COUNT; n++)
		send(0, count);
	CHECK_EQ(read_cr0(), cr0, "CR0");
	CHECK_EQ(read_cr3(), cr3, "CR3");
	CHECK_EQ(read_cr4(), cr4, "CR4");
	CHECK_EQ(rdmsr(MSR_EFER), efer, "EFER");
	case_value("SMIs: handler %u, CPU %u", *count, smi_counted() - counted);
	if (last) {
		stop = wrong = rounds = 0;
		cpu_start(last, compute, NULL);
		while (rounds < 100)
			cpu_relax();
		for (unsigned n = 0; n < COUNT; n++)
			send(last, count);
		stop = 1;
		cpu_wait(last);
		CHECK_EQ(wrong, 0, "registers of another CPU");
		CHECK_EQ(cpu_state(last)->started, started, "another CPU was not started");
		CHECK(cpu_beats(last), "another CPU runs on");
		case_value("SMIs with another CPU's: handler %u", *count);
	}
	CHECK_EQ(cpuid(1, 0).ecx, before.ecx, "CPUID");
	region_check(&r, "the VMM's memory");
}
