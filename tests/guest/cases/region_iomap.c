/*
 * A task state segment whose I/O bitmap lies in the VMM's memory: its ones forbid every port to
 * CPL 3, those that the VMM watches as well (bug class 8).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"
#include "tests/guest/kernel/kernel.h"

SNIPPET(iomap_in, 64, "inb %dx, %al");

GUEST_CASE(region_iomap, "SDM 1 19.5.2, APM 2 12.2.5; Documentation/memory-map.md")
{
	const uint16_t map = 4096 - 0x800; /* where the page ends */
	struct region r = region_like();
	struct snippet s = {.mode = MODE_USER64, .code = iomap_in, .code_end = iomap_in_end};
	uint8_t *own = page_alloc();
	uint64_t *descriptor = tss_descriptor(), saved[2];

	memcpy(saved, descriptor, sizeof(saved));
	memcpy(own + 0x800, tss_now(), TSS_SIZE);
	memcpy(own + 0x800 + TSS_IO_MAP, &map, sizeof(map));
	tss_describe(descriptor, region_behind(own, r.base, 3) + 0x800, map + 8192u);
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	s.in.rdx = 0x80;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "any port");
	s.in.rdx = 0xcfe;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_GP, "PCI");
	memcpy(descriptor, saved, sizeof(saved));
	trap_load(0);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "allowed");
	region_check(&r, "end");
}
