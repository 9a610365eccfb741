/*
 * Code in the VMM's memory: bytes of ones are no instruction, at its first page and its last, from
 * each ring; an instruction that begins in front of it takes its last bytes from there.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(fetch_jump_64, 64, "jmp *%rdi");
SNIPPET(fetch_jump_32, 32, "jmp *%edi");

static void jump(enum mode mode, uint64_t to, uint64_t rip, const char *name)
{
	bool is64 = mode == MODE_64 || mode == MODE_USER64;
	struct snippet s = {
	    .mode = mode,
	    .code = is64 ? fetch_jump_64 : fetch_jump_32,
	    .code_end = is64 ? fetch_jump_64_end : fetch_jump_32_end,
	    .in = {.rdi = to},
	};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_UD, "%s %s vector", mode_name[mode], name);
	CHECK_EQ(s.out.rip, rip, "%s %s RIP", mode_name[mode], name);
	if (to != rip)
		CHECK_EQ((uint32_t)s.out.rax, 0xffffffff, "%s %s EAX", mode_name[mode], name);
}

GUEST_CASE(region_fetch, "SDM 2D appendix A (FF /7), SDM 2A 2.1; Documentation/memory-map.md")
{
	static const enum mode modes[] = {MODE_64,     MODE_USER64, MODE_32,
					  MODE_USER32, MODE_PROT32, MODE_PAE32};
	struct region r = region_like();
	uint8_t *own = (uint8_t *)(r.base - 3), saved[3];

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		jump(modes[i], r.base, r.base, "first");
		jump(modes[i], r.base + 0x3456, r.base + 0x3456, "middle");
		jump(modes[i], r.end - 2, r.end - 2, "last");
	}
	/* NOP, NOP, MOV to EAX of four bytes that are the VMM's */
	memcpy(saved, own, 3);
	memcpy(own, "\x90\x90\xb8", 3);
	jump(MODE_64, r.base - 3, r.base + 4, "border");
	jump(MODE_USER32, r.base - 3, r.base + 4, "border");
	/* 0F alone: UD0 with the VMM's byte */
	memcpy(own, "\x90\x90\x0f", 3);
	jump(MODE_64, r.base - 1, r.base - 1, "UD0");
	memcpy(own, saved, 3);
	region_check(&r, "end");
}
