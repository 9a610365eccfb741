/*
 * The VMM's memory from the modes without long mode: no paging, pages of 4 MiB, PAE, and V86 mode
 * through a page of its own (bug class 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(region_access, 32,
	"movl (%edi), %eax; movl $0, (%edi); movl (%edi), %ebx; xchgl %edx, (%edi); rep stosb");
SNIPPET(region_access_16, 16,
	"movl %es:(%di), %eax; movl $0, %es:(%di); movl %es:(%di), %ebx; xchgl %edx, %es:(%di);"
	"rep stosb");

static uint32_t pd[1024] __attribute__((aligned(4096))), pt[1024] __attribute__((aligned(4096)));

static void look(struct snippet *s, enum mode mode)
{
	s->mode = mode;
	s->in.rcx = 9;
	snippet_run(s);
	CHECK_EQ(s->out.vector, VECTOR_END, "%s vector", mode_name[mode]);
	CHECK_EQ(s->out.rax, 0xffffffff, "%s read", mode_name[mode]);
	CHECK_EQ(s->out.rbx, 0xffffffff, "%s write", mode_name[mode]);
	CHECK_EQ(s->out.rdx, 0xffffffff, "%s XCHG", mode_name[mode]);
	CHECK_EQ(s->out.rcx, 0, "%s ECX", mode_name[mode]);
	CHECK_EQ((uint32_t)s->out.rdi, (uint32_t)s->in.rdi + 9, "%s EDI", mode_name[mode]);
}

GUEST_CASE(region_modes, "SDM 3A 4.3, 4.4; the VMM's promise: Documentation/memory-map.md")
{
	static const enum mode modes[] = {MODE_32, MODE_USER32, MODE_PROT32, MODE_PAGED32,
					  MODE_PAE32};
	struct region r = region_get();
	struct snippet s = {.code = region_access, .code_end = region_access_end};

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		s.in.rdi = r.base + 0x1000 * i + 0xffc;
		look(&s, modes[i]);
	}
	/* small pages: the first 4 MiB one to one, but for a page that the snippet does not use */
	for (uint32_t n = 0; n < 1024; n++) {
		pt[n] = n << 12 | 7;
		pd[n] = n << 22 | 0x87;
	}
	pd[0] = (uint32_t)(uintptr_t)pt | 7;
	pt[0x28] = (uint32_t)(r.base + 0x3000) | 7;
	s.cr3 = (uint32_t)(uintptr_t)pd;
	s.in.rdi = 0x28000;
	look(&s, MODE_PAGED32);
	if (word_number("v86", 1)) {
		s.code = region_access_16;
		s.code_end = region_access_16_end;
		s.in.rdi = 0x8100; /* from ES, which is the snippet's base */
		look(&s, MODE_V86);
	}
	region_check(&r, "end");
}
