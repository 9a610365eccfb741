/*
 * A CPU writes another ID into its APIC, where the model takes one: the VMM's messages to it must
 * still arrive. Another CPU moves its APIC, for which the VMM waits for all CPUs, also for one
 * whose guest comes to no exit (bug classes 24 and 30).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint32_t ready, stop;

static void stay(void *arg)
{
	uint32_t own = apic_read(APIC_ID);

	if (arg)
		apic_write(APIC_ID, 0x77u << 24);
	ready = 1;
	while (!stop) /* no exit */
		;
	if (arg)
		apic_write(APIC_ID, own);
}

static void one(const char *name, bool id)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	unsigned last = cpu_count() - 1;

	ready = stop = 0;
	cpu_start(last, stay, id ? (void *)(uintptr_t)&ready : NULL);
	CHECK(cpu_wait_for(&ready, 1), "%s begins", name);
	for (unsigned n = 0; n < 10; n++) {
		wrmsr(MSR_APIC_BASE, (base & 0xfff) | 0xfea00000); /* nothing is there */
		wrmsr(MSR_APIC_BASE, base);
	}
	CHECK_EQ(rdmsr(MSR_APIC_BASE), base, "%s base", name);
	stop = 1;
	cpu_wait(last);
	CHECK(cpu_beats(last), "%s goes on", name);
}

GUEST_CASE(apic_id, "SDM 3A 11.4.6, APM 2 16.3.3", .cpus = 2)
{
	one("its own", false);
	one("another", true);
}
