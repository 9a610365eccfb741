/*
 * LGDT, LIDT, SGDT and SIDT: 10 bytes in 64-bit mode, 6 in the others, 24 bits of the base with
 * operands of 16 bits; a base that is not canonical is #GP.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(tables_16, 16, "sidtl (%si); lidtw (%bx); sidtl (%di); lidtl (%si)");
SNIPPET(tables_32, 32, "sidtl (%esi); lidtl (%ebx); sidtl (%edi); lidtl (%esi)");

GUEST_CASE(op_tables, "SDM 2A LGDT, LIDT, SDM 2B SGDT, SIDT; APM 3")
{
	struct pointer {
		uint16_t limit;
		uint64_t base;
		uint8_t behind[6];
	} __attribute__((packed)) old, new, *low = (void *)(uintptr_t)(SNIPPET_BASE(0) + 0x800);
	struct snippet s = {.mode = MODE_PROT32, .code = tables_32, .code_end = tables_32_end};
	unsigned vector;

	__asm__("" : "+r"(low));
	memset(&old, 0x5a, sizeof(old));
	__asm__ volatile("sidt %0" : "=m"(old));
	CHECK_EQ(old.behind[0], 0x5a, "SIDT stores 10 bytes");
	new = old;
	new.base = UINT64_C(0xffff800012345678);
	new.limit = 0x123;
	__asm__ volatile("lidt %1; sidt %0; lidt %2" : "=m"(new) : "m"(new), "m"(old));
	CHECK_EQ(new.base, UINT64_C(0xffff800012345678), "base");
	CHECK_EQ(new.limit, 0x123, "limit");
	new.base = UINT64_C(0x800000000000);
	__asm__ volatile(TRY("lidt %0") : : "m"(new));
	vector = tried();
	CHECK_EQ(vector, VECTOR_GP, "LIDT not canonical");
	__asm__ volatile(TRY("lgdt %0") : : "m"(new));
	CHECK_EQ(tried(), VECTOR_GP, "LGDT not canonical");
	/* the way back needs the table that was there: first of all it is stored */
	low[0] = (struct pointer){.limit = 0x234, .base = 0x12345678};
	memset(&low[1], 0x5a, 2 * sizeof(*low));
	s.in.rbx = (uintptr_t)&low[0];
	s.in.rdi = (uintptr_t)&low[1];
	s.in.rsi = (uintptr_t)&low[2];
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "32-bit vector");
	CHECK_EQ((uint32_t)low[1].base, 0x12345678, "32-bit base");
	CHECK_EQ(low[1].limit, 0x234, "32-bit limit");
	CHECK_EQ((uint8_t)(low[1].base >> 32), 0x5a, "32-bit stores 6 bytes");
	s = (struct snippet){.mode = MODE_REAL, .code = tables_16, .code_end = tables_16_end};
	low[0].base = 0xff345678; /* from a 16-bit operand: 24 bits */
	memset(&low[1], 0x5a, 2 * sizeof(*low));
	s.in.rbx = 0x800;
	s.in.rdi = 0x800 + sizeof(*low);
	s.in.rsi = 0x800 + 2 * sizeof(*low);
	snippet_run(&s);
	CHECK_EQ(s.out.vector, VECTOR_END, "16-bit vector");
	CHECK_EQ((uint32_t)low[1].base & 0xffffff, 0x345678, "16-bit base");
	CHECK_EQ(low[1].limit, 0x234, "16-bit limit");
}
