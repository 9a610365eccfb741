/* Start-up IPIs with vectors for pages all over the first 640 KiB: CS is the vector's, of the first
 * SIPI when a second one with another follows (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

GUEST_CASE(start_pages, "SDM 3A 9.4.4, 11.6.1 (start-up), APM 2 16.5", .cpus = 2)
{
	static const uint8_t pages[] = {0x01, 0x04, 0x09, 0x3f, 0x50, 0x80, 0x8e};
	unsigned last = cpu_count() - 1;

	cpu_copy_start(0x8000);
	for (unsigned i = 0; i < sizeof(pages); i++) {
		volatile struct cpu_state *s = cpu_state(last);
		uint32_t started = s->started;

		cpu_copy_start((uint32_t)pages[i] << 12);
		apic_send(last, APIC_ICR_INIT);
		apic_send(last, APIC_ICR_SIPI | pages[i]);
		apic_send(last, APIC_ICR_SIPI | 8);
		CHECK(cpu_wait_for(&s->started, started + 1), "page %#x starts", pages[i]);
		CHECK_EQ(s->start_cs, pages[i] << 8, "page %#x CS", pages[i]);
		CHECK(cpu_beats(last), "page %#x beats", pages[i]);
		CHECK_EQ(s->started, started + 1, "page %#x once", pages[i]);
	}
}
