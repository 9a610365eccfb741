/*
 * No NMI from CPU to CPU is lost in one of the VMM's own: another CPU moves its APIC all the while,
 * and each move makes the VMM stop all CPUs by NMIs (bug class 24).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define COUNT 50u
#define LIMIT 20000u /* turns until an NMI counts as lost */

static volatile uint32_t seen[CPUS_MAX], stop;

static bool handler(struct frame *f)
{
	(void)f;
	__atomic_add_fetch(&seen[cpu_index()], 1, __ATOMIC_RELAXED);
	return true;
}

static void move(void *arg)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	(void)arg;
	while (!stop) {
		wrmsr(MSR_APIC_BASE, (base & 0xfff) | 0xfea00000); /* nothing is there */
		wrmsr(MSR_APIC_BASE, base);
		cpu_relax();
	}
}

static void exits(void *arg)
{
	(void)arg;
	while (!stop) {
		cpuid(1, 0);
		cpu_relax();
	}
}

/* Send NMIs one by one, each when the one before has come; returns how many never came. */
static uint32_t send(unsigned cpu, uint32_t count)
{
	uint32_t lost = 0;

	for (uint32_t n = 0; n < count && lost < 3; n++) {
		uint32_t before = seen[cpu];

		apic_send(cpu, APIC_ICR_NMI);
		for (unsigned turn = 0; turn < LIMIT && seen[cpu] == before; turn++)
			cpu_relax();
		lost += seen[cpu] == before;
	}
	return lost;
}

/* Send NMIs that are no more apart than those that must all come; returns how many came. */
static uint32_t send_apart(unsigned cpu, uint32_t count, uint64_t apart)
{
	uint32_t before = seen[cpu];

	for (uint32_t n = 0; n < count; n++) {
		apic_send(cpu, APIC_ICR_NMI);
		nmi_wait(apart);
	}
	for (unsigned turn = 0; turn < LIMIT; turn++)
		cpu_relax();
	return seen[cpu] - before;
}

GUEST_CASE(nmi_kicks, "SDM 3A 6.7.1, APM 2 8.2.3", .cpus = 3)
{
	uint64_t apart = nmi_apart();

	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	trap_set(VECTOR_NMI, handler);
	stop = 0;
	cpu_start(1, move, NULL);
	cpu_start(2, exits, NULL);
	CHECK_EQ(send(2, COUNT), 0, "lost of another CPU");
	CHECK_EQ(seen[2], COUNT, "count of another CPU");
	CHECK_EQ(send(0, COUNT), 0, "lost of the own");
	CHECK_EQ(seen[0], COUNT, "count of the own");
	if (apart) {
		CHECK_EQ(send_apart(2, COUNT, apart), COUNT, "of another CPU, apart");
		CHECK_EQ(send_apart(0, COUNT, apart), COUNT, "of the own, apart");
	}
	stop = 1;
	cpu_wait(1);
	cpu_wait(2);
	CHECK_EQ(seen[1], 0, "invented");
}
