/*
 * PAE's four page-directory-pointer entries: loaded with CR3, a reserved bit there is #GP at that
 * MOV, not at the first access, and the ones in use stay those that were loaded. The VMM keeps them
 * over exits on VT-x.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(pae_reload, 32, "movl %esi, %cr3; movl (%edi), %eax; cpuid; movl (%edi), %ebx");
SNIPPET(pae_change, 32,
	"movl %cr3, %eax; movl $0, 24(%eax); xorl %eax, %eax; cpuid; movl (%edi), %ebx");

static uint64_t pdpt[4] __attribute__((aligned(4096))), pd[4][512] __attribute__((aligned(4096)));

static void fill(void)
{
	for (uint64_t n = 0; n < 2048; n++)
		pd[n / 512][n % 512] = n << 21 | 0x87;
	for (unsigned n = 0; n < 4; n++)
		pdpt[n] = (uintptr_t)pd[n] | 1;
}

GUEST_CASE(pae_pointers, "SDM 3A 4.4.1, APM 2 5.2.3")
{
	static uint32_t word = 0x11223344;
	struct snippet s = {.mode = MODE_PAE32, .code = pae_reload, .code_end = pae_reload_end};
	bool intel = cpuid(0, 0).ebx == 0x756e6547; /* AMD reads them at each walk */

	s.in.rsi = (uintptr_t)pdpt;
	s.in.rdi = (uintptr_t)&word;
	fill();
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "reload vector");
	CHECK_EQ(s.out.rbx, word, "reload");
	for (unsigned n = 0; n < 4 && intel; n++) {
		fill();
		pdpt[n] |= BIT(1);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "reserved-%u vector", n);
		CHECK_EQ(s.out.rip, 0, "reserved-%u RIP", n);
		fill();
		pdpt[n] |= BIT(62);
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "high-%u vector", n);
	}
	/* one that is absent may have any bit set */
	fill();
	pdpt[2] = 0x1e6;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "absent vector");
	if (intel) {
		/* the entry of 3 to 4 GiB goes away in memory, not in the CPU */
		fill();
		s.code = pae_change;
		s.code_end = pae_change_end;
		s.cr3 = (uint32_t)(uintptr_t)pdpt;
		s.in.rdi = 0xfee00020; /* the APIC's ID */
		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "changed vector");
		CHECK_EQ(s.out.rbx, 0, "changed");
	}
}
