/*
 * Time does not run backwards from CPU to CPU: a token goes around, each holder reads the TSC and
 * compares with the one before; RDTSCP names the CPU that it ran on (bug class 18).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS      5000u
#define MSR_TSC_AUX 0xc0000103u

static volatile uint32_t turn;
static volatile uint64_t last;
static volatile uint32_t backwards, wrong_aux;
static bool has_rdtscp;

static uint64_t read_tsc(uint32_t *aux)
{
	uint32_t low, high;

	*aux = cpu_index();
	if (has_rdtscp)
		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(*aux) : : "memory");
	else
		__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void go_round(void *arg)
{
	unsigned cpu = cpu_index(), count = cpu_count();
	uint32_t aux;

	(void)arg;
	if (has_rdtscp)
		wrmsr(MSR_TSC_AUX, cpu);
	for (uint32_t n = 0; n < ROUNDS; n++) {
		while (turn != n * count + cpu)
			cpu_relax();
		if (n % 4 == 0)
			cpuid(0, 0); /* an exit in between */
		uint64_t now = read_tsc(&aux);

		backwards += now < last;
		wrong_aux += aux != cpu;
		last = now;
		turn++;
	}
}

GUEST_CASE(tsc, "SDM 3B 18.17, APM 3 RDTSCP")
{
	turn = backwards = wrong_aux = 0;
	last = 0;
	has_rdtscp = cpuid(0x80000001, 0).edx & BIT(27);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_start(cpu, go_round, NULL);
	go_round(NULL);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
	CHECK_EQ(backwards, 0, "backwards");
	CHECK_EQ(wrong_aux, 0, "TSC_AUX");
}
