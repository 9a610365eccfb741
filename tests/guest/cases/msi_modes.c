/* MSIs of a device that nobody mediates, with the delivery modes that are no fixed interrupt: an
 * NMI is the guest's, once; ExtINT, and the reserved modes, among them what a start-up IPI has, do
 * nothing to a CPU that runs; and all CPUs go on, under the VMM (bug class 35). INIT is left out:
 * no emulator has what holds it (VM_CR.R_INIT); SMIs are in msi_smi. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/edu.h"

static volatile uint32_t seen[CPUS_MAX];

static bool handler(struct frame *f)
{
	(void)f;
	__atomic_add_fetch(&seen[cpu_index()], 1, __ATOMIC_RELAXED);
	return true;
}

static void send(uint32_t address, uint32_t data)
{
	edu_msi(address, data);
	edu_raise(1);
	for (unsigned n = 0; n < 1000; n++)
		cpuid(0, 0);
	edu_clear(1);
	edu_msi_off();
}

GUEST_CASE(msi_modes, "SDM 3A 11.11.2, PCI Local Bus 3.0 6.8")
{
	unsigned last = cpu_count() - 1;
	uint32_t started = cpu_state(last)->started, leaf = cpuid(0, 0).ebx;

	edu_find();
	memset((void *)(uintptr_t)seen, 0, sizeof(seen));
	trap_set(VECTOR_NMI, handler);
	for (unsigned n = 0; n < 20; n++)
		send(ADDRESS, 0x400);
	CHECK_EQ(seen[0], 20, "NMI");
	send(ADDRESS | last << 12, 0x700); /* ExtINT: nobody has a vector */
	send(ADDRESS | last << 12, 0x608); /* what a start-up IPI looks like */
	if (last) {
		CHECK(cpu_beats(last), "start-up: the CPU runs on");
		CHECK_EQ(cpu_state(last)->started, started, "start-up: not started");
		send(ADDRESS | last << 12, 0x400);
		CHECK(cpu_wait_for(&seen[last], 1), "NMI of another CPU");
		send(ADDRESS | 0xff000, 0x400);
		for (unsigned cpu = 0; cpu <= last; cpu++)
			CHECK(cpu_wait_for(&seen[cpu], cpu == 0      ? 21
						       : cpu == last ? 2
								     : 1),
			      "NMI of all: CPU %u", cpu);
	}
	CHECK_EQ(cpuid(0, 0).ebx, leaf, "CPUID");
}
