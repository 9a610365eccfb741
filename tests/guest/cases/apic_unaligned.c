/* Stores of 4 bytes to the local APIC between its registers: their effect is not defined, but none
 * stops or starts a CPU behind the VMM's back (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static volatile uint64_t seen;

static void look(void *arg)
{
	seen = *(volatile uint64_t *)arg;
}

GUEST_CASE(apic_unaligned, "SDM 3A 11.4.1, APM 2 16.3.2", .cpus = 2)
{
	unsigned last = cpu_count() - 1;
	uint64_t end, hole = memory_missing(&end);
	uint32_t started = cpu_state(last)->started;

	if (!hole)
		case_skip("not defined without the VMM");
	for (unsigned n = 1; n < 16; n++) {
		uint64_t at = 0xfee00000u + APIC_ICR_LOW + n;

		apic_write(APIC_ICR_HIGH, last << 24);
		__asm__ volatile("movl %0, (%1)" : : "r"(APIC_ICR_INIT), "r"(at) : "memory");
		CHECK(cpu_beats(last), "+%u runs on", n);
		CHECK_EQ(cpu_state(last)->started, started, "+%u not started", n);
		seen = 0;
		cpu_call(last, look, (void *)hole);
		CHECK_EQ(seen, ~UINT64_C(0), "+%u the VMM's memory", n);
	}
}
