/* Addresses that are not canonical: #GP with 0, #SS by the stack registers, and no page fault. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(canonical_data, 64, "movq (%rdi), %rax");
SNIPPET(canonical_stack, 64, "movq (%rbp), %rax");
SNIPPET(canonical_string, 64, "movsb");
SNIPPET(canonical_edge, 64, "movq -4(%rdi), %rax");

static void one(const char *name, const uint8_t *code, const uint8_t *end, uint64_t at,
		unsigned vector)
{
	struct snippet s = {.code = code, .code_end = end};

	s.in.rdi = s.in.rbp = at;
	s.in.rsi = SNIPPET_BASE(0);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s %#lx vector", name, at);
	CHECK_EQ(s.out.error, 0, "%s %#lx error", name, at);
}

GUEST_CASE(walk_canonical, "SDM 1 3.3.7.1, SDM 3A 6.15 (#SS), APM 2 5.3.1, 8.2.13")
{
	static const uint64_t list[] = {UINT64_C(0x800000000000), UINT64_C(0xffff7ffffffffff0),
					BIT(63), BIT(48), UINT64_C(0x7fff000000000000)};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		one("data", canonical_data, canonical_data_end, list[i], VECTOR_GP);
		one("RBP", canonical_stack, canonical_stack_end, list[i], VECTOR_SS);
		one("string", canonical_string, canonical_string_end, list[i], VECTOR_GP);
	}
	/* the last bytes of the lower half, and beyond */
	one("edge", canonical_edge, canonical_edge_end, UINT64_C(0x800000000000), VECTOR_GP);
}
