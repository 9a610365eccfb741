/*
 * Stores to the local APIC's page, which the VMM may watch for start-up messages, by every
 * instruction that an operating system uses: registers and flags as on RAM (bug classes 2, 3).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

/* RDI: the register; EAX, R9D, ECX: operands. */
#define FORMS(F)                                                                                   \
	F(mov_reg, "movl %eax, (%rdi)")                                                            \
	F(mov_r9, "movl %r9d, (%rdi)")                                                             \
	F(mov_imm, "movl $0x70, (%rdi)")                                                           \
	F(mov_disp32, "movl %eax, 0x1000000(%rdi, %rsi, 1)")                                       \
	F(mov_sib, "movl %eax, (%rdi, %rbx, 4)")                                                   \
	F(mov_addr32, "movl %eax, (%edi)")                                                         \
	F(xchg, "xchgl %eax, (%rdi)")                                                              \
	F(and_imm8, "andl $0x50, (%rdi)")                                                          \
	F(and_reg, "andl %eax, (%rdi)")                                                            \
	F(or_imm32, "orl $0x90, (%rdi)")                                                           \
	F(or_reg, "orl %eax, (%rdi)")                                                              \
	F(xor_reg, "xorl %eax, (%rdi)")                                                            \
	F(add_reg, "addl %eax, (%rdi)")                                                            \
	F(sub_imm, "subl $0x10, (%rdi)")                                                           \
	F(inc, "incl (%rdi)")                                                                      \
	F(not, "notl (%rdi)")                                                                      \
	F(neg, "negl (%rdi)")                                                                      \
	F(bts, "btsl $7, (%rdi)")                                                                  \
	F(btr, "btrl $5, (%rdi)")                                                                  \
	F(cmpxchg_ne, "cmpxchgl %ecx, (%rdi)")                                                     \
	F(xadd, "xaddl %eax, (%rdi)")                                                              \
	F(stos, "stosl")                                                                           \
	F(movs, "movsl")

#define DECLARE(name, text) SNIPPET(form_##name, 64, text);
FORMS(DECLARE)
#define ROW(name, text) {#name, form_##name, form_##name##_end},
static const struct {
	const char *name;
	const uint8_t *code, *end;
} forms[] = {FORMS(ROW)};

/* A register with its reserved bits, as on RAM: TPR has 8 bits. */
static uint32_t ram[8] __attribute__((aligned(16)));
static uint32_t source = 0x60;

static void run(struct snippet *s, unsigned form, uint64_t target)
{
	*s = (struct snippet){
	    .code = forms[form].code,
	    .code_end = forms[form].end,
	    .in = {.rax = 0xa0, .rcx = 0x30, .r9 = 0xb0, .rdi = target},
	};
	if (forms[form].name[3] == '_' && forms[form].name[4] == 'd')
		s->in.rsi = -UINT64_C(0x1000000);
	else
		s->in.rsi = (uintptr_t)&source;
	snippet_run(s);
}

GUEST_CASE(apic_forms, "SDM 3A 11.4.1", .cpus = 2)
{
	const uint64_t tpr = 0xfee00000 + APIC_TPR;

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct snippet a, b;

		ram[0] = 0xe0;
		run(&a, i, (uintptr_t)ram);
		apic_write(APIC_TPR, 0xe0);
		run(&b, i, tpr);
		CHECK_EQ(b.out.vector, VECTOR_END, "%s vector", forms[i].name);
		CHECK_EQ(b.out.rip, a.out.rip, "%s RIP", forms[i].name);
		CHECK_EQ(b.out.rax, a.out.rax, "%s RAX", forms[i].name);
		CHECK_EQ(b.out.rcx, a.out.rcx, "%s RCX", forms[i].name);
		CHECK_EQ(b.out.rdi - tpr, a.out.rdi - (uintptr_t)ram, "%s RDI", forms[i].name);
		/* AF is undefined behind AND, OR, XOR */
		CHECK_EQ(b.out.rflags & ~0x10u, a.out.rflags & ~0x10u, "%s RFLAGS", forms[i].name);
		CHECK_EQ(apic_read(APIC_TPR), ram[0] & 0xff, "%s result", forms[i].name);
	}
	apic_write(APIC_TPR, 0);
}
