/* MSIs and IPIs with all their addresses at the same time: while a device interrupts by logical
 * destinations, fixed and lowest priority, CPUs exit, and none is lost or comes to a CPU that was
 * not named (bug class 35). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"

#define VECTOR 0x61u
#define COUNT  100u

static volatile uint32_t seen[CPUS_MAX], ready, stop;

static bool handler(struct frame *f)
{
	(void)f;
	__atomic_add_fetch(&seen[cpu_index()], 1, __ATOMIC_RELAXED);
	apic_write(APIC_EOI, 0);
	return true;
}

static void receive(void *arg)
{
	(void)arg;
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << (24 + cpu_index()));
	__asm__ volatile("sti");
	__atomic_add_fetch(&ready, 1, __ATOMIC_RELAXED);
	while (!stop) {
		cpuid(0xd, 1);
		cpu_relax();
	}
	__asm__ volatile("cli");
}

static uint32_t total(void)
{
	uint32_t sum = 0;

	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
		sum += seen[cpu];
	return sum;
}

static uint32_t send(uint32_t destination, uint32_t mode)
{
	uint32_t before = total();

	edu_msi(ADDRESS | destination << 12 | 4, mode | VECTOR); /* logical */
	for (uint32_t n = 1; n <= COUNT; n++) {
		edu_raise(1);
		for (unsigned turn = 0; turn < 3000000 && total() < before + n; turn++)
			cpu_relax();
		edu_clear(1);
	}
	edu_msi_off();
	return total() - before;
}

GUEST_CASE(msi_masks, "SDM 3A 11.6.2.2, 11.6.2.4 and 11.11", .cpus = 3)
{
	edu_find();
	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	trap_set(VECTOR, handler);
	stop = ready = 0;
	cpu_start(1, receive, NULL);
	cpu_start(2, receive, NULL);
	CHECK(cpu_wait_for(&ready, 2), "ready");
	CHECK_EQ(send(2, 0), COUNT, "fixed to one");
	CHECK_EQ(seen[1], COUNT, "fixed to one: CPU 1");
	CHECK_EQ(send(4, 0x100), COUNT, "lowest priority of one");
	CHECK_EQ(seen[2], COUNT, "lowest priority of one: CPU 2");
	CHECK_EQ(send(6, 0x100), COUNT, "lowest priority of two");
	CHECK_EQ(seen[0], 0, "CPU 0");
	stop = 1;
	cpu_wait(1);
	cpu_wait(2);
}
