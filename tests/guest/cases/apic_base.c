/*
 * Each CPU has an APIC base of its own. One that moves it, again and again, leaves the APICs of the
 * others, and what the VMM knows of them, alone: a CPU that they restart is still under the VMM.
 * The place of the registers is not looked at: QEMU never moves them.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ELSEWHERE UINT64_C(0xfea00000) /* nothing is there */
#define EN        BIT(11)
#define MOVES     1000u

static void *spare;
static volatile uint64_t seen;

static void move(uint64_t to)
{
	wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & 0xfff) | to);
}

static void move_away(void *arg)
{
	(void)arg;
	move(ELSEWHERE);
}

static void move_back(void *arg)
{
	(void)arg;
	move(0xfee00000);
}

static void look(void *arg)
{
	seen = *(volatile uint64_t *)arg;
}

GUEST_CASE(apic_base, "SDM 3A 11.4.4 and 11.4.5, APM 2 16.3.1")
{
	uint64_t end, hole = memory_missing(&end), base = rdmsr(MSR_APIC_BASE);
	unsigned n = 0;

	spare = page_alloc();
	page_alloc(); /* the next one */
	CHECK_EQ(base & 0xffffff000, 0xfee00000, "base");
	for (; n < MOVES; n++) {
		move((n & 1 ? (uintptr_t)spare : ELSEWHERE) + (n & 2 ? 0x1000u : 0));
		if ((rdmsr(MSR_APIC_BASE) & 0xffffff000) == (base & 0xffffff000))
			break;
		wrmsr(MSR_APIC_BASE, base);
	}
	CHECK_EQ(n, MOVES, "moves");
	CHECK_EQ(rdmsr(MSR_APIC_BASE), base, "back");
	apic_write(APIC_TPR, 0x30);
	CHECK_EQ(apic_read(APIC_TPR), 0x30, "TPR");
	apic_write(APIC_TPR, 0);
	if (cpu_count() < 3)
		return;
	/* with CPU 1's elsewhere, CPU 0 starts the last one again */
	unsigned last = cpu_count() - 1;

	cpu_call(1, move_away, NULL);
	for (n = 0; n < 10; n++) {
		uint32_t started = cpu_state(last)->started;

		apic_send(last, APIC_ICR_INIT);
		apic_send(last, APIC_ICR_SIPI | 8);
		if (!cpu_wait_for(&cpu_state(last)->started, started + 1))
			break;
	}
	CHECK_EQ(n, 10, "restarts");
	seen = ~UINT64_C(0); /* without the VMM there is nothing to look at */
	if (hole)
		cpu_call(last, look, (void *)hole);
	CHECK_EQ(seen, ~UINT64_C(0), "the VMM's memory from the CPU that was started");
	cpu_call(1, move_back, NULL);
	cpu_call(1, look, spare);
}
