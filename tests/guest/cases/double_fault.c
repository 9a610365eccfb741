/*
 * Exceptions on top of exceptions: gates that are missing turn the second one into a double fault,
 * or let it be delivered alone, as the table of the manual says (bug class 21).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

SNIPPET(df_ud, 64, "ud2");
SNIPPET(df_gp, 64, "movl $0xffff, %eax; movl %eax, %ds");
SNIPPET(df_pf, 64, "movq (%rdi), %rax");
SNIPPET(df_int, 64, "int $0x41");
SNIPPET(df_de, 64, "xorl %ecx, %ecx; divl %ecx");

/* Run with one gate not present; what comes, comes once. */
static void one(const char *name, const uint8_t *code, const uint8_t *end, unsigned absent,
		unsigned vector, uint64_t error)
{
	struct snippet s = {.code = code, .code_end = end};
	struct gate *gate = (struct gate *)idt_now().base + absent;

	s.in.rdi = UINT64_C(0x7000000000);
	gate->type &= 0x7f;
	snippet_run(&s);
	gate->type |= 0x80;
	CHECK_EQ(s.out.vector, vector, "%s vector", name);
	CHECK_EQ(s.out.error, error, "%s error", name);
	if (absent == VECTOR_PF)
		CHECK_EQ(s.cr2, s.in.rdi, "%s CR2", name);
}

GUEST_CASE(double_fault, "SDM 3A 6.15 (interrupt 8, tables 6-4 and 6-5), APM 2 8.2.9")
{
	/* benign, then contributory: the second alone; error codes name the gate (IDT, EXT) */
	one("UD", df_ud, df_ud_end, VECTOR_UD, VECTOR_NP, VECTOR_UD * 8 + 3);
	one("INT", df_int, df_int_end, 0x41, VECTOR_NP, 0x41 * 8 + 2);
	/* contributory or page fault, then contributory */
	one("DE", df_de, df_de_end, VECTOR_DE, VECTOR_DF, 0);
	one("GP", df_gp, df_gp_end, VECTOR_GP, VECTOR_DF, 0);
	one("PF", df_pf, df_pf_end, VECTOR_PF, VECTOR_DF, 0);
}
