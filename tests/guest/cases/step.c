/*
 * Instructions that exit, with a debug exception or an interrupt due right behind them: TF, an
 * instruction breakpoint on the next one, the shadows of STI and MOV SS, a breakpoint that MOV SS
 * holds back. Whoever moves RIP by hand must do what the CPU does at the end of an instruction
 * (XSA-204, XSA-308, CVE-2018-8897, CVE-2018-1087).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define IRQ       0x40
#define UNTOUCHED (UINT64_C(7) << 30) /* linear */
#define BLOCK     BIT(30)             /* the VMM maps no more at a touch */

/* In RBX. */
static struct {
	uint32_t ss;
	uint32_t zero[3];
	struct table_pointer gdt, idt;
	uint8_t out[16];
} __attribute__((packed, aligned(16))) data;

_Static_assert(offsetof(__typeof__(data), gdt) == 0x10 && offsetof(__typeof__(data), idt) == 0x1a &&
		   offsetof(__typeof__(data), out) == 0x24,
	       "displacements in insns[]");

static const uint8_t sti[] = {0xfb};
static uint64_t dropped; /* where the VMM drops stores */

struct insn {
	const char *name;
	uint8_t length, bytes[5];
	uint32_t ecx;
	uint64_t (*edx_eax)(const struct insn *i); /* NULL: 0 */
	uint8_t fault;                             /* the exception that it gives */
	bool touch;                                /* RSI: memory that nobody has touched */
	bool waits;                                /* for an interrupt */
	uint8_t reg, bit;                          /* of CPUID's leaf, where it is shown */
	uint32_t leaf;                             /* 0: each CPU has it */
};

static uint64_t msr(const struct insn *i)
{
	return rdmsr(i->ecx);
}

/* The port that the VMM watches, and what is in it. */
static uint64_t watched(const struct insn *i)
{
	uint16_t port = acpi_pm1_port(), value;

	(void)i;
	__asm__ volatile("inw %w1, %0" : "=a"(value) : "Nd"(port));
	return (uint64_t)port << 32 | value;
}

static uint64_t pci_data(const struct insn *i)
{
	(void)i;
	return UINT64_C(0xcfc) << 32;
}

static uint64_t cr0(const struct insn *i)
{
	(void)i;
	return read_cr0();
}

static uint64_t cr0_cd(const struct insn *i)
{
	return cr0(i) | CR0_CD;
}

static uint64_t cr0_ne(const struct insn *i)
{
	return cr0(i) ^ CR0_NE;
}

static uint64_t cr3(const struct insn *i)
{
	(void)i;
	return read_cr3();
}

static uint64_t cr4(const struct insn *i)
{
	(void)i;
	return read_cr4();
}

static uint64_t x87(const struct insn *i) /* XCR0 */
{
	(void)i;
	return 1;
}

static uint64_t leaf_d(const struct insn *i)
{
	(void)i;
	return 0xd;
}

static uint64_t no_call(const struct insn *i)
{
	(void)i;
	return 0xffffffff;
}

static uint64_t data_at(const struct insn *i)
{
	(void)i;
	return (uintptr_t)&data;
}

/* RBX: data, RDI: a register of the APIC, RSI: `dropped`; with INS and OUTS data.out. */
static const struct insn insns[] = {
    {"nop", 1, {0x90}, .ecx = 0}, /* does not exit: what the machine itself does */
    {"cpuid", 2, {0x0f, 0xa2}, .ecx = 0},
    {"cpuid-d", 2, {0x0f, 0xa2}, .edx_eax = leaf_d}, /* not lean */
    {"rdmsr", 2, {0x0f, 0x32}, .ecx = MSR_EFER},
    {"rdmsr-apic", 2, {0x0f, 0x32}, .ecx = MSR_APIC_BASE},
    {"wrmsr", 2, {0x0f, 0x30}, .ecx = MSR_EFER, .edx_eax = msr},
    {"wrmsr-apic", 2, {0x0f, 0x30}, .ecx = MSR_APIC_BASE, .edx_eax = msr},
    {"xsetbv", 3, {0x0f, 0x01, 0xd1}, .edx_eax = x87, .leaf = 1, .reg = 2, .bit = 26},
    {"wbinvd", 2, {0x0f, 0x09}, .ecx = 0},
    {"invd", 2, {0x0f, 0x08}, .ecx = 0},
    {"in", 2, {0x66, 0xed}, .edx_eax = watched}, /* (%dx), %ax */
    {"out", 2, {0x66, 0xef}, .edx_eax = watched},
    {"ins", 3, {0x66, 0x67, 0x6d}, .edx_eax = watched},
    {"outs", 3, {0x66, 0x67, 0x6f}, .edx_eax = watched},
    {"pci", 2, {0x66, 0xed}, .edx_eax = pci_data},
    {"apic", 2, {0x89, 0x2f}, .ecx = 0},  /* mov %ebp, (%rdi) */
    {"store", 2, {0x88, 0x06}, .ecx = 0}, /* mov %al, (%rsi) */
    {"load", 2, {0x8a, 0x06}, .ecx = 0},
    {"touch", 2, {0x8a, 0x06}, .touch = true},
    {"mov-cr0", 3, {0x0f, 0x22, 0xc0}, .edx_eax = cr0},
    {"mov-cr0-cd", 3, {0x0f, 0x22, 0xc0}, .edx_eax = cr0_cd},
    {"mov-cr0-ne", 3, {0x0f, 0x22, 0xc0}, .edx_eax = cr0_ne},
    {"mov-cr3", 3, {0x0f, 0x22, 0xd8}, .edx_eax = cr3},
    {"mov-cr4", 3, {0x0f, 0x22, 0xe0}, .edx_eax = cr4},
    {"mov-cr8", 4, {0x44, 0x0f, 0x22, 0xc0}, .ecx = 0},
    {"mov-from-cr0", 3, {0x0f, 0x20, 0xc0}, .ecx = 0},
    {"mov-from-cr3", 3, {0x0f, 0x20, 0xd8}, .ecx = 0},
    {"mov-from-cr4", 3, {0x0f, 0x20, 0xe0}, .ecx = 0},
    {"mov-from-cr8", 4, {0x44, 0x0f, 0x20, 0xc0}, .ecx = 0},
    {"lmsw", 3, {0x0f, 0x01, 0xf0}, .edx_eax = cr0},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, .ecx = 0},
    {"clts", 2, {0x0f, 0x06}, .ecx = 0},
    {"mov-dr1", 3, {0x0f, 0x23, 0xc8}, .ecx = 0},
    {"mov-from-dr1", 3, {0x0f, 0x21, 0xc8}, .ecx = 0},
    {"lgdt", 4, {0x0f, 0x01, 0x53, 0x10}, .ecx = 0},
    {"lidt", 4, {0x0f, 0x01, 0x5b, 0x1a}, .ecx = 0},
    {"sgdt", 4, {0x0f, 0x01, 0x43, 0x24}, .ecx = 0},
    {"sidt", 4, {0x0f, 0x01, 0x4b, 0x24}, .ecx = 0},
    {"lldt", 3, {0x0f, 0x00, 0xd0}, .ecx = 0},
    {"sldt", 3, {0x0f, 0x00, 0xc0}, .ecx = 0},
    {"str", 3, {0x0f, 0x00, 0xc8}, .ecx = 0},
    {"pushf", 1, {0x9c}, .ecx = 0},
    {"invlpg", 3, {0x0f, 0x01, 0x3b}, .ecx = 0},
    {"invpcid", 5, {0x66, 0x0f, 0x38, 0x82, 0x0b}, .ecx = 2, .leaf = 7, .reg = 1, .bit = 10},
    {"rdtsc", 2, {0x0f, 0x31}, .ecx = 0},
    {"rdtscp", 3, {0x0f, 0x01, 0xf9}, .leaf = 0x80000001, .reg = 3, .bit = 27},
    {"rdrand", 3, {0x0f, 0xc7, 0xf0}, .leaf = 1, .reg = 2, .bit = 30},
    {"rdseed", 3, {0x0f, 0xc7, 0xf8}, .leaf = 7, .reg = 1, .bit = 18},
    {"pause", 2, {0xf3, 0x90}, .ecx = 0},
    {"monitor", 3, {0x0f, 0x01, 0xc8}, .edx_eax = data_at, .leaf = 1, .reg = 2, .bit = 3},
    {"mwait", 3, {0x0f, 0x01, 0xc9}, .waits = true, .leaf = 1, .reg = 2, .bit = 3},
    {"hlt", 1, {0xf4}, .waits = true},
    /* what a CPU without virtualisation does not know, and a value that is refused */
    {"vmxoff", 3, {0x0f, 0x01, 0xc4}, .fault = VECTOR_UD},
    {"vmrun", 3, {0x0f, 0x01, 0xd8}, .fault = VECTOR_UD},
    {"xsetbv-0", 3, {0x0f, 0x01, 0xd1}, .fault = VECTOR_GP, .leaf = 1, .reg = 2, .bit = 26},
};

/* Registers for instruction i; `before`: bytes in front of it. Returns its end's offset. */
static unsigned make(struct snippet *s, const struct insn *i, const uint8_t *before, unsigned n)
{
	static uint64_t untouched = BIT(38);
	uint64_t value = i->edx_eax ? i->edx_eax(i) : 0;
	uint8_t bytes[16];

	memset(s, 0, sizeof(*s));
	s->trace = true;
	memcpy(bytes, before, n);
	memcpy(bytes + n, i->bytes, i->length);
	bytes[n + i->length] = 0x90;
	snippet_bytes(s, bytes, n + i->length + 1u);
	s->in.rcx = i->ecx;
	s->in.rax = (uint32_t)value;
	s->in.rdx = value >> 32;
	s->in.rbx = (uintptr_t)&data;
	s->in.rdi = 0xfee00000 + APIC_ICR_HIGH;
	s->in.rsi = dropped;
	if (i->bytes[1] == 0x67) /* INS, OUTS: a word as in the port */
		s->in.rsi = s->in.rdi = (uintptr_t)data.out;
	if (i->touch) {
		page_map(UNTOUCHED, untouched, PAGE_P | PAGE_W);
		s->in.rsi = UNTOUCHED;
		untouched += BLOCK;
	}
	return n + i->length;
}

/* The traps came behind the instructions that end at `rip`, the last NOP's for all; a fault has
 * none for itself and the NOP. */
static void expect(const struct snippet *s, const struct insn *i, const char *what, unsigned count,
		   const unsigned rip[], uint64_t dr6)
{
	CHECK_EQ(s->out.vector, i->fault ? i->fault : VECTOR_END, "%s-%s vector", i->name, what);
	CHECK_EQ(s->steps, count, "%s-%s count", i->name, what);
	for (unsigned n = 0; n < count && n < s->steps; n++) {
		CHECK_EQ(s->step[n].rip, rip[n], "%s-%s RIP-%u", i->name, what, n);
		CHECK_EQ(s->step[n].dr6, DR6_CLEAR | dr6, "%s-%s DR6-%u", i->name, what, n);
	}
}

static void step_one(const struct insn *i)
{
	static const uint8_t mov_ss[] = {0x8e, 0x13}; /* mov (%rbx), %ss */
	unsigned own = i->fault ? 0 : 2;              /* traps of the instruction and the NOP */
	struct snippet s;
	unsigned end;

	/* SDM 3B 18.3.1.4: a trap behind each instruction that began with TF = 1 */
	end = make(&s, i, NULL, 0);
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "TF", own, (unsigned[]){end, end + 1}, DR6_BS);

	/* STI holds back interrupts, not debug exceptions (SDM 2B STI) */
	end = make(&s, i, sti, sizeof(sti));
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "STI-TF", 1 + own, (unsigned[]){1, end, end + 1}, DR6_BS);

	/* MOV SS holds back both until the next instruction's end (SDM 3A 6.8.3) */
	end = make(&s, i, mov_ss, sizeof(mov_ss));
	s.in.rflags = RFLAGS_TF;
	snippet_run(&s);
	expect(&s, i, "MOVSS-TF", own, (unsigned[]){end, end + 1}, DR6_BS);
}

/* An instruction breakpoint (DR7.L0, SDM 3B 18.3.1.1) on what follows. */
static void break_behind(const struct insn *i)
{
	struct snippet s;
	unsigned end = make(&s, i, NULL, 0);

	write_dr0(SNIPPET_BASE(0) + end);
	write_dr7(DR7_CLEAR | 1);
	snippet_run(&s);
	write_dr7(DR7_CLEAR);
	write_dr0(0); /* DR6 may tell of matches that DR7 does not ask for */
	expect(&s, i, "break", i->fault ? 0 : 1, (unsigned[]){end}, 1);
}

/* An interrupt that waits comes behind the instruction in STI's shadow, a fault comes first. */
static void interrupt_behind(const struct insn *i)
{
	struct snippet s;
	unsigned end = make(&s, i, sti, sizeof(sti));

	apic_send(0, 0x44000 | IRQ); /* to itself, fixed, assert */
	snippet_run(&s);
	CHECK_EQ(s.out.vector, i->fault ? i->fault : IRQ, "%s-STI-IRQ vector", i->name);
	CHECK_EQ(s.out.rip, i->fault ? sizeof(sti) : end, "%s-STI-IRQ RIP", i->name);
	if (i->fault) {
		make(&s, &insns[0], NULL, 0);
		s.in.rflags = RFLAGS_IF;
		snippet_run(&s);
		CHECK_EQ(s.out.vector, IRQ, "%s-STI-IRQ next vector", i->name);
	}
	apic_write(APIC_EOI, 0);
}

static void one(const struct insn *i)
{
	uint64_t cr0_before = read_cr0();

	if (i->leaf && !cpuid_shows(i->leaf, i->reg, i->bit))
		return;
	if (!i->waits && word_number("tf", 1))
		step_one(i);
	if (!i->waits)
		break_behind(i);
	interrupt_behind(i);
	write_cr0(cr0_before);
}

GUEST_CASE(step, "SDM 3B 18.3.1, SDM 3A 6.8.3, APM 2 13.1")
{
	bool intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
	struct insn call = {"call", 3, {0x0f, 0x01, intel ? 0xc1 : 0xd9}, .edx_eax = no_call};

	outl(0xcf8, BIT(31)); /* the host bridge's ID at 0xcfc */
	apic_write(APIC_SVR, 0x1ff);
	__asm__("movl %%ss, %k0" : "=r"(data.ss));
	data.gdt = gdt_now();
	data.idt = idt_now();
	dropped = region_like().base + 0x1230;
	if (cpuid_shows(1, 2, 26))
		write_cr4(read_cr4() | CR4_OSXSAVE);
	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
		one(&insns[i]);
	/* of the VMM, with a number that no call has; without one a NOP of that length */
	if (!word_text("ram"))
		memcpy(call.bytes, (uint8_t[]){0x0f, 0x1f, 0x00}, 3);
	one(&call);
}
