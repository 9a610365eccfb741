/*
 * Instructions that exit, with a debug exception or an interrupt due right behind them: TF, an
 * instruction breakpoint on the next one, the shadows of STI and MOV SS, a breakpoint that MOV SS
 * holds back. Whoever moves RIP by hand must do what the CPU does at the end of an instruction
 * (XSA-204, XSA-308, CVE-2018-8897, CVE-2018-1087).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define IRQ 0x40

static const struct insn {
	const char *name;
	unsigned length;
	uint8_t bytes[3];
	uint32_t ecx;
	uint16_t port; /* 0: the one that is always watched */
} insns[] = {
    {"nop", 1, {0x90}, 0, 0}, /* does not exit: what the machine itself does */
    {"cpuid", 2, {0x0f, 0xa2}, 0, 0},
    {"rdmsr", 2, {0x0f, 0x32}, MSR_EFER, 0},
    {"wrmsr", 2, {0x0f, 0x30}, MSR_EFER, 0},
    {"xsetbv", 3, {0x0f, 0x01, 0xd1}, 0, 0},
    {"wbinvd", 2, {0x0f, 0x09}, 0, 0},
    {"invd", 2, {0x0f, 0x08}, 0, 0},
    {"in", 2, {0x66, 0xed}, 0, 0}, /* in (%dx), %ax from the watched port */
    {"pci", 2, {0x66, 0xed}, 0, 0xcfc},
    {"apic", 2, {0x89, 0x2f}, 0, 0}, /* mov %ebp, (%rdi) */
};

static uint16_t stack_selector[2] __attribute__((aligned(4)));
static uint16_t port;

/* Registers for instruction i; `before`: bytes in front of it. Returns its end's offset. */
static unsigned make(struct snippet *s, const struct insn *i, const uint8_t *before, unsigned n)
{
	uint8_t bytes[16];
	uint64_t value = i->ecx ? rdmsr(i->ecx) : 0;

	memset(s, 0, sizeof(*s));
	s->trace = true;
	memcpy(bytes, before, n);
	memcpy(bytes + n, i->bytes, i->length);
	bytes[n + i->length] = 0x90;
	snippet_bytes(s, bytes, n + i->length + 1);
	s->in.rcx = i->ecx;
	s->in.rax = value & 0xffffffff;
	s->in.rdx = value >> 32;
	if (i->bytes[2] == 0xd1)
		s->in.rax = 1; /* XCR0: x87 */
	if (i->bytes[1] == 0xed)
		s->in.rdx = i->port ? i->port : port;
	s->in.rdi = 0xfee00000 + APIC_ICR_HIGH;
	s->in.rbx = (uintptr_t)stack_selector;
	return n + i->length;
}

static void expect(const struct snippet *s, const struct insn *i, const char *what, unsigned count,
		   const unsigned rip[], uint64_t dr6)
{
	CHECK_EQ(s->out.vector, VECTOR_END, "%s-%s vector", i->name, what);
	CHECK_EQ(s->steps, count, "%s-%s count", i->name, what);
	for (unsigned n = 0; n < count && n < s->steps; n++) {
		CHECK_EQ(s->step[n].rip, rip[n], "%s-%s RIP-%u", i->name, what, n);
		CHECK_EQ(s->step[n].dr6, DR6_CLEAR | dr6, "%s-%s DR6-%u", i->name, what, n);
	}
}

static void step_one(const struct insn *i)
{
	static const uint8_t sti[] = {0xfb}, mov_ss[] = {0x8e, 0x13}; /* mov (%rbx), %ss */
	struct snippet s;
	unsigned end;

	/* SDM 3B 18.3.1.4: a trap behind each instruction that began with TF = 1 */
	end = make(&s, i, NULL, 0);
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "TF", 2, (unsigned[]){end, end + 1}, DR6_BS);

	/* STI holds back interrupts, not debug exceptions (SDM 2B STI) */
	end = make(&s, i, sti, sizeof(sti));
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "STI-TF", 3, (unsigned[]){1, end, end + 1}, DR6_BS);

	/* MOV SS holds back both until the next instruction's end (SDM 3A 6.8.3) */
	end = make(&s, i, mov_ss, sizeof(mov_ss));
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "MOVSS-TF", 2, (unsigned[]){end, end + 1}, DR6_BS);

	/* an instruction breakpoint (DR7.L0, SDM 3B 18.3.1.1) on what follows */
	end = make(&s, i, NULL, 0);
	write_dr0(SNIPPET_BASE(0) + end);
	write_dr7(DR7_CLEAR | 1);
	snippet_run(&s);
	write_dr7(DR7_CLEAR);
	write_dr0(0); /* DR6 may tell of matches that DR7 does not ask for */
	expect(&s, i, "break", 1, (unsigned[]){end}, 1);

	/* an interrupt that waits comes behind the instruction in STI's shadow */
	end = make(&s, i, sti, sizeof(sti));
	s.trace = false;
	apic_send(0, 0x44000 | IRQ); /* to itself, fixed, assert */
	snippet_run(&s);
	apic_write(APIC_EOI, 0);
	CHECK_EQ(s.out.vector, IRQ, "%s-STI-IRQ vector", i->name);
	CHECK_EQ(s.out.rip, end, "%s-STI-IRQ RIP", i->name);
}

GUEST_CASE(step, "SDM 3B 18.3.1, SDM 3A 6.8.3, APM 2 13.1")
{
	bool xsave = cpuid(1, 0).ecx & BIT(26);

	port = acpi_pm1_port();
	outl(0xcf8, BIT(31)); /* the host bridge's ID at 0xcfc */
	apic_write(APIC_SVR, 0x1ff);
	__asm__("movl %%ss, %k0" : "=r"(stack_selector[0]));
	if (xsave)
		write_cr4(read_cr4() | CR4_OSXSAVE);
	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		if (insns[i].bytes[2] != 0xd1 || xsave)
			step_one(&insns[i]);
	}
}
