/*
 * An operating system of before the APIC switches it off in IA32_APIC_BASE, and the 8259 interrupts
 * the CPU. It cannot be switched on again in every emulator, so this runs alone, with off=1. Under
 * the VMM it stays on, or the VMM could not reach the CPU any more (bug class 29).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define EN     BIT(11)
#define VECTOR 0x70u
#define TIMER  0x71u
#define COUNT  5u

static volatile uint32_t ticks, timers;

static bool tick(struct frame *f)
{
	(void)f;
	ticks++;
	outb(0x20, 0x20);
	return true;
}

static bool timer(struct frame *f)
{
	(void)f;
	timers++;
	apic_write(APIC_EOI, 0);
	return true;
}

/* The 8259s: their vectors from VECTOR on, and IRQ 0 alone. */
static void pic(void)
{
	outb(0x20, 0x11);
	outb(0x21, VECTOR);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
}

GUEST_CASE(apic_off, "SDM 3A 11.4.3, MP specification 1.4, 3.6.2.1", .cpus = 2)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!word_number("off", 0))
		case_skip("runs with off=1");
	trap_set(VECTOR, tick);
	trap_set(TIMER, timer);
	apic_write(APIC_SVR, 0x1ff);
	apic_write(0x320, 0x20000 | TIMER); /* its own timer, periodic */
	apic_write(0x380, 10000);
	wrmsr(MSR_APIC_BASE, base & ~EN);
	timers = 0;
	pic();
	outb(0x43, 0x34); /* channel 0, mode 2 (8254) */
	outb(0x40, 0);
	outb(0x40, 0x10);
	for (uint64_t n = 0; n < 400000000 && ticks < COUNT; n++)
		__asm__ volatile("sti; nop; cli" : : : "memory");
	outb(0x21, 0xff);
	CHECK(ticks >= COUNT, "the 8259 interrupts");
	CHECK_EQ(timers, 0, "the APIC's timer does not");
	if (word_text("ram"))
		CHECK_EQ(rdmsr(MSR_APIC_BASE), base, "on, all the same");
	wrmsr(MSR_APIC_BASE, base);
	CHECK(cpu_beats(1), "another CPU");
}
