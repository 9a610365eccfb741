/*
 * CR0 and CR4 from real mode: protected mode is entered and left, paging without protection is
 * refused, and so is NW without CD; CR4 takes what it takes elsewhere (SDM: unrestricted guest).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(real_write_cr0, 16, "movl %cr0, %esi; movl %eax, %cr0; movl %cr0, %ebx; movl %esi, %cr0");
SNIPPET(real_write_cr4, 16, "movl %cr4, %esi; movl %eax, %cr4; movl %cr4, %ebx; movl %esi, %cr4");

static void one(const uint8_t *code, const uint8_t *end, uint64_t value, unsigned vector,
		const char *name)
{
	struct snippet s = {.mode = MODE_REAL, .code = code, .code_end = end, .in = {.rax = value}};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, vector, "%s vector", name);
	CHECK_EQ(s.out.rbx, vector == VECTOR_END ? value : 0, "%s reads back", name);
}

#define CR0(value, vector, name) one(real_write_cr0, real_write_cr0_end, value, vector, name)
#define CR4(value, vector, name) one(real_write_cr4, real_write_cr4_end, value, vector, name)

GUEST_CASE(cr_real, "SDM 3A 2.5 and 9.9, APM 2 3.1, 14.4")
{
	CR0(CR0_ET, VECTOR_END, "nothing");
	CR0(CR0_ET | CR0_NE, VECTOR_END, "NE");
	CR0(CR0_ET | CR0_TS | CR0_EM | CR0_MP, VECTOR_END, "TS, EM, MP");
	CR0(CR0_ET | CR0_WP | CR0_AM, VECTOR_END, "WP, AM");
	CR0(CR0_ET | CR0_CD, VECTOR_END, "CD");
	CR0(CR0_ET | CR0_CD | CR0_NW, VECTOR_END, "CD, NW");
	CR0(CR0_ET | CR0_PE, VECTOR_END, "PE");
	CR0(CR0_ET | CR0_PE | CR0_NE | CR0_TS, VECTOR_END, "PE, NE, TS");
	CR0(CR0_ET | CR0_PG, VECTOR_GP, "PG without PE");
	CR0(CR0_ET | CR0_NW, VECTOR_GP, "NW without CD");
	CR4(0, VECTOR_END, "CR4 nothing");
	CR4(CR4_PSE | CR4_PAE | CR4_PGE, VECTOR_END, "CR4 PSE, PAE, PGE");
	CR4(CR4_DE, VECTOR_END, "CR4 DE");
	CR4(CR4_VMXE, cpuid(1, 0).ecx & BIT(5) ? VECTOR_END : VECTOR_GP, "CR4 VMXE");
	CR4(BIT(15), VECTOR_GP, "CR4 bit-15");
	CR4(BIT(31), VECTOR_GP, "CR4 bit-31");
}
