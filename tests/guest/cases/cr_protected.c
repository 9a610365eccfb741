/*
 * CR0 and CR4 from protected mode without long mode, with and without paging: the combinations that
 * the manual forbids are refused, the register keeps its value, everything else is taken.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(prot_write_cr0, 32, "movl %cr0, %esi; movl %eax, %cr0; movl %cr0, %ebx; movl %esi, %cr0");
SNIPPET(prot_write_cr4, 32, "movl %cr4, %esi; movl %eax, %cr4; movl %cr4, %ebx; movl %esi, %cr4");

static void one(enum mode mode, const uint8_t *code, const uint8_t *end, uint64_t value,
		unsigned vector, const char *name)
{
	struct snippet s = {.mode = mode, .code = code, .code_end = end, .in = {.rax = value}};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s %s vector", mode_name[mode], name);
	CHECK_EQ(s.out.rbx, vector == VECTOR_END ? value : 0, "%s %s reads back", mode_name[mode],
		 name);
}

#define CR0(value, vector, name) one(mode, prot_write_cr0, prot_write_cr0_end, value, vector, name)
#define CR4(value, vector, name) one(mode, prot_write_cr4, prot_write_cr4_end, value, vector, name)

GUEST_CASE(cr_protected, "SDM 3A 2.5, 4.1.2 and 9.9, APM 2 3.1")
{
	static const enum mode modes[] = {MODE_PROT32, MODE_PAGED32, MODE_PAE32};

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		enum mode mode = modes[i];
		uint64_t pg = mode == MODE_PROT32 ? 0 : CR0_PG, base = CR0_PE | CR0_ET | pg;
		uint64_t cr4 = mode == MODE_PAGED32 ? CR4_PSE : mode == MODE_PAE32 ? CR4_PAE : 0;

		CR0(base, VECTOR_END, "nothing");
		CR0(base | CR0_NE | CR0_WP | CR0_AM, VECTOR_END, "NE, WP, AM");
		CR0(base | CR0_TS | CR0_EM | CR0_MP, VECTOR_END, "TS, EM, MP");
		CR0(base | CR0_CD | CR0_NW, VECTOR_END, "CD, NW");
		CR0(base | CR0_NW, VECTOR_GP, "NW without CD");
		if (pg)
			CR0(CR0_ET | CR0_PG, VECTOR_GP, "PE off with PG");
		CR4(cr4 | CR4_PGE, VECTOR_END, "CR4 PGE");
		CR4(cr4 | CR4_DE, VECTOR_END, "CR4 DE");
		CR4(cr4 | CR4_PSE, VECTOR_END, "CR4 PSE");
		CR4(cr4 | CR4_VMXE, cpuid(1, 0).ecx & BIT(5) ? VECTOR_END : VECTOR_GP, "CR4 VMXE");
		CR4(cr4 | BIT(17), VECTOR_GP, "CR4 PCIDE outside of long mode");
		CR4(cr4 | BIT(15), VECTOR_GP, "CR4 bit-15");
		CR4(cr4 | BIT(31), VECTOR_GP, "CR4 bit-31");
	}
}
