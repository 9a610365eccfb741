/* INIT level de-assert, which old boot code sends behind each INIT: it stops nobody, and starts
 * nobody (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define DEASSERT 0x8500u /* INIT, level triggered, not asserted */

GUEST_CASE(start_deassert, "SDM 3A 11.6.1 (INIT level de-assert), APM 2 16.5", .cpus = 2)
{
	unsigned last = cpu_count() - 1;
	volatile struct cpu_state *s = cpu_state(last);
	uint32_t started = s->started;

	cpu_copy_start(0x8000);
	apic_send(0, 0x80000u | DEASSERT); /* all: the one form that manuals allow */
	CHECK(cpu_beats(last), "runs on");
	apic_send(last, DEASSERT);
	CHECK(cpu_beats(last), "runs on by its name");
	CHECK_EQ(s->started, started, "not started");
	apic_send(last, 0xc500); /* INIT, level triggered, asserted */
	apic_send(last, DEASSERT);
	CHECK(cpu_stands(last), "stands");
	CHECK_EQ(s->started, started, "waits");
	apic_send(last, APIC_ICR_SIPI | 8);
	CHECK(cpu_wait_for(&s->started, started + 1), "starts");
	CHECK(cpu_beats(last), "beats");
}
