/* TSC_AUX, RDTSCP and RDPID agree, on each CPU by itself, over exits. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TSC_AUX 0xc0000103u

static volatile uint32_t wrong;

static void look(void *arg)
{
	uint64_t was, mark = 0x12340000 + cpu_index();
	uint32_t low, high, aux;

	(void)arg;
	if (rdmsr_try(TSC_AUX, &was) != VECTOR_NONE)
		return;
	wrmsr(TSC_AUX, mark);
	for (unsigned n = 0; n < 50; n++) {
		cpuid(0, 0);
		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
		if (aux != (uint32_t)mark || rdmsr(TSC_AUX) != mark)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
	}
	wrmsr(TSC_AUX, was);
}

GUEST_CASE(msr_tsc_aux, "SDM 2B RDTSCP, APM 3 RDTSCP")
{
	uint64_t value;

	if (!(cpuid(0x80000001, 0).edx & BIT(27)))
		case_skip("no RDTSCP");
	wrong = 0;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_start(cpu, look, NULL);
	look(NULL);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
	CHECK_EQ(wrong, 0, "values");
	/* the high half is reserved on Intel's CPUs */
	if (cpuid(0, 0).ebx == 0x756e6547 && rdmsr_try(TSC_AUX, &value) == VECTOR_NONE)
		CHECK_EQ(wrmsr_try(TSC_AUX, BIT(32)), VECTOR_GP, "high half");
}
