/*
 * Far calls through call gates, from CPL 3 and CPL 0, and the far returns: rings, stacks and frames
 * as the manual says, with an exit in the middle.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define GATE   0x403u /* in the case's table, far behind the kernel's; RPL 3 */
#define TARGET (SNIPPET_BASE(0) + 0x400)

SNIPPET(gate_call, 64, "lcalll *(%rdi); cpuid");

GUEST_CASE(op_gate, "SDM 2A CALL, SDM 2B RET, SDM 3A 5.8.3.1, APM 2 4.8.4")
{
	static const uint8_t code[] = {0x8c, 0xce,                   /* mov %cs, %esi */
				       0x48, 0x8b, 0x6c, 0x24, 0x08, /* mov 8(%rsp), %rbp: CS */
				       0x0f, 0xa2,                   /* cpuid */
				       0x48, 0xcb};                  /* lretq */
	struct table_pointer kernel = gdt_now();
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) pointer = {0, GATE};
	uint64_t *own = page_alloc();
	uint8_t *target = (uint8_t *)(uintptr_t)TARGET;

	__asm__("" : "+r"(target));
	memcpy(target, code, sizeof(code));
	gdt_copy(own);
	/* a 64-bit gate of DPL 3 to the kernel's code */
	own[GATE / 8] = (TARGET & 0xffff) | UINT64_C(0x08) << 16 | UINT64_C(0xec00) << 32 |
			(uint64_t)(TARGET >> 16) << 48;
	own[GATE / 8 + 1] = 0;
	gdt_load((uintptr_t)own, 4095);
	for (unsigned ring = 0; ring < 2; ring++) {
		struct snippet s = {.mode = ring ? MODE_USER64 : MODE_64,
				    .code = gate_call,
				    .code_end = gate_call_end,
				    .in = {.rdi = (uintptr_t)&pointer}};

		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_END, "ring-%u vector", ring);
		CHECK_EQ(s.out.rsi, 0x08, "ring-%u CS in the gate", ring);
		CHECK_EQ(s.out.rbp, ring ? 0x3b : 0x08, "ring-%u CS of the caller", ring);
		CHECK_EQ(s.out.cs, ring ? 0x3b : 0x08, "ring-%u CS behind it", ring);
	}
	own[GATE / 8] &= ~(UINT64_C(0x6000) << 32); /* DPL 0 */
	{
		struct snippet s = {.mode = MODE_USER64,
				    .code = gate_call,
				    .code_end = gate_call_end,
				    .in = {.rdi = (uintptr_t)&pointer}};

		snippet_run(&s);
		CHECK_EQ(s.out.vector, VECTOR_GP, "DPL 0 vector");
		CHECK_EQ(s.out.error, GATE & ~3u, "DPL 0 error");
	}
	gdt_load(kernel.base, kernel.limit);
}
