/*
 * An event whose stack lies in the VMM's memory. Its frame would be lost, and no handler could come
 * back: the VMM makes #GP of it, and that is a double fault, which has a stack of its own. The
 * guest goes on, and the VMM does (bug classes 20, 31).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(event_int, 64, "int $0x41");
SNIPPET(event_ud, 64, "ud2");
SNIPPET(event_pf, 64, "movq (%rdi), %rax");
SNIPPET(event_gp, 64, "movl $0xffff, %eax; movl %eax, %ds");

static void one(const struct region *r, const char *name, const uint8_t *code, const uint8_t *end)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rdi = UINT64_C(0x7100000000);
	s.in.rsp = r->base + 0x3800;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_DF, "%s vector", name);
	CHECK_EQ(s.out.error, 0, "%s error", name);
	CHECK_EQ(s.out.rsp, r->base + 0x3800, "%s RSP", name);
}

GUEST_CASE(region_event, "SDM 3A 6.15 (#DF), APM 2 8.2.9; Documentation/memory-map.md")
{
	struct region r = region_get();

	one(&r, "INT", event_int, event_int_end);
	one(&r, "UD", event_ud, event_ud_end);
	one(&r, "PF", event_pf, event_pf_end);
	one(&r, "GP", event_gp, event_gp_end);
	region_check(&r, "end");
}
