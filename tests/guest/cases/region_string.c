/*
 * String instructions in, into and out of the VMM's memory, up and down, and over both its borders:
 * counters and addresses as with any memory, ones are read, what is written there is lost.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(region_movs, 64, "rep movsb");
SNIPPET(region_movs_down, 64, "std; rep movsb; cld");
SNIPPET(region_stos, 64, "rep stosl");
SNIPPET(region_cmps, 64, "repe cmpsw");
SNIPPET(region_scas, 64, "repne scasb");

static void run(const char *name, const uint8_t *code, const uint8_t *end, uint64_t from,
		uint64_t to, uint64_t count, int64_t step)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rsi = from;
	s.in.rdi = to;
	s.in.rcx = count;
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
	CHECK_EQ(s.out.rcx, 0, "%s RCX", name);
	CHECK_EQ(s.out.rdi, to + (uint64_t)((int64_t)count * step), "%s RDI", name);
}

#define RUN(name, code, ...) run(name, code, code##_end, __VA_ARGS__)

GUEST_CASE(region_string, "SDM 2B MOVS, STOS; the VMM's promise: Documentation/memory-map.md")
{
	struct region r = region_get();
	uint8_t *own = page_alloc(), *low = (uint8_t *)(r.base - 64), *high = (uint8_t *)r.end;

	RUN("read", region_movs, r.base + 100, (uintptr_t)own, 300, 1);
	CHECK_EQ(own[0] + own[299], 2 * 0xff, "read");
	CHECK_EQ(own[300], 0, "behind it");
	memset(own, 0, 4096);
	RUN("write", region_movs, (uintptr_t)own, r.base + 100, 300, 1);
	RUN("fill", region_stos, 0, r.base + 0x1ffa, 100, 4);
	RUN("within", region_movs, r.base, r.base + 0x3000, 0x1100, 1);
	RUN("compare", region_cmps, r.base + 1, r.base + 0x1001, 200, 2);
	RUN("scan", region_scas, 0, r.base + 5, 0x2000, 1);
	RUN("down", region_movs_down, (uintptr_t)own + 63, r.base + 63, 64, -1);
	/* over the lower border, in both directions */
	memset(low, 0x5a, 64);
	RUN("into it", region_movs, (uintptr_t)own, r.base - 64, 128, 1);
	CHECK_EQ(low[0] | low[63], 0, "in front of it");
	memset(low, 0x5a, 64);
	RUN("out of it below", region_movs_down, (uintptr_t)own + 127, r.base + 63, 128, -1);
	CHECK_EQ(low[0] | low[63], 0, "in front of it, down");
	/* over the upper one, reading: what is there is not the kernel's */
	memset(own, 0, 4096);
	RUN("read over the end", region_movs, r.end - 64, (uintptr_t)own, 128, 1);
	CHECK_EQ(own[0] & own[63], 0xff, "in front of the end");
	CHECK_EQ(memcmp(own + 64, high, 64), 0, "behind the end");
	region_check(&r, "end");
}
