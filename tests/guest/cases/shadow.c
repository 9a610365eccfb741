/*
 * What is pending in the shadow of MOV SS, POP SS or STI waits for the end of the instruction
 * behind it, which exits: no interrupt between the two, nor an NMI where SS was loaded, and none
 * later than that (bug class 22). An IPI to the CPU itself comes behind the store that sends it, or
 * behind the shadow; the 8254, through the I/O APIC, comes at any place, while the VMM handles the
 * exit as well. Where each instruction has its time, that is: word counted=1.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define IRQ    0x90u
#define MASKED BIT(16)
#define LONG   0xffffffu /* turns, more than the 8254 ever takes */
#define TICKS  60u       /* of the 8254: some 2000 instructions and more */
/* Turns from one run to the next, and runs: as long as the VMM takes for memory that is not mapped.
 */
#define FINE      1u
#define COARSE    17u
#define RUNS      32u
#define BEFORE    6u                  /* turns that a sweep begins before the shadow */
#define UNTOUCHED (UINT64_C(7) << 30) /* linear */
#define BLOCK     BIT(30)             /* the VMM maps no more at a touch */

#define WAIT "1: subl $1, %ecx; jnz 1b; "

SNIPPET(shadow_cpuid, 64, WAIT "movl %eax, (%rdi); movl %ebp, %ss; cpuid; nop; jmp .");
SNIPPET(shadow_in, 64, WAIT "movl %eax, (%rdi); movl %ebp, %ss; inw (%dx), %ax; nop; jmp .");
SNIPPET(shadow_store, 64, WAIT "movl %eax, (%rdi); movl %ebp, %ss; movb %al, (%rbx); nop; jmp .");
SNIPPET(shadow_load, 64, WAIT "movl %eax, (%rdi); movl %ebp, %ss; movb (%rbx), %al; nop; jmp .");
SNIPPET(shadow_sti, 64, WAIT "movl %eax, (%rdi); nop; sti; cpuid; nop; jmp .");
SNIPPET(shadow_pop, 32, "pushl %ss; " WAIT "movl %eax, (%edi); popl %ss; cpuid; nop; jmp .");

#define SHADOW 9u /* RIP in it, and behind it; in all of them */
#define BEHIND 11u

static const struct row {
	const char *name;
	enum mode mode;
	const uint8_t *code, *end;
	uint16_t rflags, sent; /* RIP behind the store */
} rows[] = {
    {"cpuid", MODE_64, shadow_cpuid, shadow_cpuid_end, RFLAGS_IF, 7},
    {"in", MODE_64, shadow_in, shadow_in_end, RFLAGS_IF, 7},
    {"store", MODE_64, shadow_store, shadow_store_end, RFLAGS_IF, 7},
    {"load", MODE_64, shadow_load, shadow_load_end, RFLAGS_IF, 7},
    {"pop", MODE_32, shadow_pop, shadow_pop_end, RFLAGS_IF, 8},
    {"sti", MODE_64, shadow_sti, shadow_sti_end, 0, BEHIND},
};

static const struct source {
	const char *name;
	unsigned vector;
	uint32_t message; /* for the ICR, and the I/O APIC's table */
} irq = {"IRQ", IRQ, APIC_ICR_FIXED | IRQ}, nmi = {"NMI", VECTOR_NMI, APIC_ICR_NMI};

static uint64_t dropped; /* where the VMM drops stores */

/* Where interrupts of the 8254 go: the entry of its pin (82093AA). */
static void timer_goes_to(uint32_t message)
{
	volatile uint32_t *index = (volatile uint32_t *)UINT64_C(0xfec00000);

	__asm__("" : "+r"(index)); /* no object of C lies there */
	index[0] = 0x15;
	index[4] = 0; /* this CPU */
	index[0] = 0x14;
	index[4] = message;
}

/* `turns` of waiting, then the store of `value` and the shadow. Returns what the event found. */
static struct snippet run(const struct row *row, const struct source *from, uint32_t turns,
			  void *store, uint32_t value)
{
	static uint64_t untouched = BIT(36);
	struct snippet s = {.mode = row->mode, .code = row->code, .code_end = row->end};

	s.in.rflags = row->rflags;
	s.in.rdi = (uintptr_t)store;
	s.in.rax = value;
	s.in.rbx = dropped;
	if (row->code == shadow_load) {
		page_map(UNTOUCHED, untouched, PAGE_P | PAGE_W);
		s.in.rbx = UNTOUCHED;
		untouched += BLOCK;
	}
	s.in.rcx = turns;
	s.in.rdx = acpi_pm1_port();
	__asm__("movl %%ss, %k0" : "=r"(s.in.rbp));
	if (store == NULL) {
		s.in.rdi = (uintptr_t)&value;
		outb(0x43, 0x10); /* channel 0, a low byte, mode 0 (8254) */
		outb(0x40, TICKS);
	}
	snippet_run(&s);
	if (from == &irq)
		apic_write(APIC_EOI, 0);
	CHECK_EQ(s.out.vector, from->vector, "%s %s vector", from->name, row->name);
	return s;
}

/* The CPU itself sends it. */
static void by_ipi(const struct row *row, const struct source *from)
{
	apic_write(APIC_ICR_HIGH, 0);
	uint64_t rip =
	    run(row, from, 1, (void *)(uintptr_t)(0xfee00000u + APIC_ICR_LOW), from->message)
		.out.rip;

	CHECK(rip == row->sent || rip == BEHIND, "IPI %s %s RIP", from->name, row->name);
}

/* It comes at a known time, and the shadow somewhat earlier or later. */
static void by_timer(const struct row *row, const struct source *from, uint32_t step)
{
	uint32_t inside = 0, turns;

	outb(0x43, 0x10); /* it stops until a count is written: the firmware's comes no more */
	timer_goes_to(from->message);
	turns = LONG - (uint32_t)run(&rows[0], from, LONG, NULL, 0).out.rcx;
	for (uint32_t n = 0; n < RUNS; n++)
		inside += run(row, from, turns + BEFORE - n * step, NULL, 0).out.rip == SHADOW;
	timer_goes_to(MASKED);
	CHECK_EQ(inside, 0, "timer %s %s step %u", from->name, row->name, step);
	CHECK(turns > RUNS * COARSE, "%u turns", turns);
}

GUEST_CASE(shadow, "SDM 3A 6.8.3, SDM 2B MOV, POP; APM 2 8.5, 15.21.5")
{
	if (!word_number("counted", 0))
		case_skip("needs time that is counted");
	dropped = region_like().base + 0x1230;
	apic_write(APIC_SVR, 0x1ff);
	for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		by_ipi(row, &irq);
		by_timer(row, &irq, FINE);
		by_timer(row, &irq, COARSE);
		if (!(row->rflags & RFLAGS_IF))
			continue; /* whether STI holds NMIs back is the CPU's affair */
		by_ipi(row, &nmi);
		by_timer(row, &nmi, FINE);
		by_timer(row, &nmi, COARSE);
	}
}
