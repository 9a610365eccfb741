/*
 * Pages of 4 MiB above 4 GiB (PSE-36): the address bits that stand in the middle of the entry are
 * not dropped on the way to the nested tables, so a page 4 GiB above the guest's or the VMM's
 * memory is other memory.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(pse36_access, 32, "movl (%edi), %eax; movl $0x12345678, (%edi); movl (%edi), %ebx");

static uint32_t pd[1024] __attribute__((aligned(4096)));

static void look(struct snippet *s, uint64_t phys, const char *name)
{
	/* SDM 3A table 4-4: bits 39:32 of the address at 20:13; at the linear address 1 GiB */
	pd[256] = (uint32_t)(phys & 0xffc00000) | (uint32_t)(phys >> 32 & 0xff) << 13 | 0x87;
	s->in.rdi = BIT(30) + (phys & 0x3fffff);
	snippet_run(s);
	CHECK_EQ(s->out.vector, VECTOR_END, "%s vector", name);
}

GUEST_CASE(pse36, "SDM 3A 4.3 and table 4-4, APM 2 5.2.2")
{
	struct snippet s = {
	    .mode = MODE_PAGED32, .code = pse36_access, .code_end = pse36_access_end};
	struct region r = region_like();
	volatile uint32_t *own = page_alloc();

	if (!(cpuid(1, 0).edx & BIT(17)))
		case_skip("no PSE-36");
	for (uint32_t n = 0; n < 1024; n++)
		pd[n] = n << 22 | 0x87;
	s.cr3 = (uint32_t)(uintptr_t)pd;
	own[0] = 0x87654321;
	look(&s, (uintptr_t)own, "own");
	CHECK_EQ(s.out.rax, 0x87654321, "own read");
	CHECK_EQ(own[0], 0x12345678, "own written");
	own[0] = 0x87654321;
	look(&s, (uintptr_t)own + BIT(32), "above"); /* nothing is there, or other RAM */
	CHECK_EQ(own[0], 0x87654321, "own behind a write 4 GiB above");
	look(&s, r.base + 0x1004 + BIT(32), "above the VMM's");
	region_check(&r, "above");
}
