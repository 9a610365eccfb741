/*
 * Every vector that an interrupt may have, from each CPU to each CPU: comes once, also those that
 * the VMM could have taken for itself, and CPUID still exits (bug class 29).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define FIRST 0x20u
#define LAST  0xeeu

static volatile uint32_t seen[CPUS_MAX][256], stop;
static unsigned target;

static bool handler(struct frame *f)
{
	seen[cpu_index()][f->vector]++;
	apic_write(APIC_EOI, 0);
	return true;
}

static void receive(void *arg)
{
	(void)arg;
	apic_write(APIC_SVR, 0x1ff);
	__asm__ volatile("sti");
	while (!stop)
		cpu_relax();
	__asm__ volatile("cli");
}

static void send(void *arg)
{
	(void)arg;
	for (unsigned v = FIRST; v <= LAST; v++) {
		volatile uint32_t *word = &seen[target][v];
		uint32_t before = *word;

		apic_send(target, APIC_ICR_FIXED | v);
		if (target == cpu_index())
			__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		cpu_wait_for(word, before + 1);
	}
}

GUEST_CASE(ipi_vectors, "SDM 3A 11.5.2, 11.6.1")
{
	uint32_t leaf = cpuid(0, 0).ebx;

	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	for (unsigned v = FIRST; v <= LAST; v++)
		trap_set(v, handler);
	apic_write(APIC_SVR, 0x1ff);
	send(NULL);
	for (target = 1; target < cpu_count(); target++) {
		stop = 0;
		cpu_start(target, receive, NULL);
		send(NULL);
		if (cpu_count() > 2)
			cpu_call(target == 1 ? 2 : 1, send, NULL);
		stop = 1;
		cpu_wait(target);
	}
	target = 0;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		uint32_t wrong = 0, want = cpu && cpu_count() > 2 ? 2 : 1;

		for (unsigned v = FIRST; v <= LAST; v++)
			wrong += seen[cpu][v] != want;
		CHECK_EQ(wrong, 0, "CPU %u", cpu);
	}
	CHECK_EQ(cpuid(0, 0).ebx, leaf, "CPUID");
}
