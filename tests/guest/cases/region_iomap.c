/*
 * A task state segment whose I/O bitmap lies in the VMM's memory: its ones forbid every port to
 * CPL 3, those that the VMM watches as well (bug class 8).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

SNIPPET(iomap_in, 64, "inb %dx, %al");

GUEST_CASE(region_iomap, "SDM 1 19.5.2, APM 2 12.2.5; Documentation/memory-map.md")
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr;
	struct region r = region_like();
	struct snippet s = {.mode = MODE_USER64, .code = iomap_in, .code_end = iomap_in_end};
	uint8_t *own = page_alloc();
	uint64_t virt = page_space(), *descriptor, saved[2], base, tss;
	uint16_t map = 4096 - 0x800; /* where the page ends */

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	descriptor = (uint64_t *)(gdtr.base + SEL_TSS);
	memcpy(saved, descriptor, sizeof(saved));
	tss = (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 56) << 24 | descriptor[1] << 32;
	memcpy(own + 0x800, (void *)tss, 104);
	memcpy(own + 0x800 + 102, &map, sizeof(map));
	page_map(virt, (uintptr_t)own, PAGE_P | PAGE_W);
	for (uint64_t n = 0; n < 3; n++)
		page_map(virt + 4096 * (n + 1), r.base + 4096 * n, PAGE_P | PAGE_W);
	base = virt + 0x800;
	descriptor[0] = (map + 8192u) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
			(base >> 24 & 0xff) << 56;
	descriptor[1] = base >> 32;
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
