/*
 * Task priority, as Windows uses it: CR8 and the local APIC's register are one; an interrupt of a
 * lower class is held back and comes when the priority falls; at a high rate (bug class 29).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define RATE  20000u
#define ROUND 16u

static volatile uint32_t seen[16];

static bool handler(struct frame *f)
{
	seen[f->vector >> 4]++;
	apic_write(APIC_EOI, 0);
	return true;
}

static void open(void)
{
	__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
}

GUEST_CASE(tpr, "SDM 3A 11.8.3.1, 11.8.6; APM 2 16.6.4")
{
	uint32_t wrong = 0;

	for (unsigned n = 0; n < 16; n++) {
		write_cr8(n);
		CHECK_EQ(apic_read(APIC_TPR), n << 4, "CR8 %u in TPR", n);
		apic_write(APIC_TPR, n << 4 | 5);
		CHECK_EQ(read_cr8(), n, "TPR %u in CR8", n);
	}
	for (uint32_t n = 0; n < RATE; n++) {
		uint32_t class = n % ROUND;

		if (n & 1)
			write_cr8(class);
		else
			apic_write(APIC_TPR, class << 4);
		wrong += read_cr8() != class || apic_read(APIC_TPR) >> 4 != class;
	}
	CHECK_EQ(wrong, 0, "rate");
	apic_write(APIC_SVR, 0x1ff);
	for (unsigned class = 3; class < 15; class ++) {
		seen[class] = 0;
		trap_set(class << 4 | 1, handler);
		write_cr8(class);
		apic_send(0, APIC_ICR_FIXED | class << 4 | 1);
		open();
		CHECK_EQ(seen[class], 0, "class %u held", class);
		write_cr8(class - 1);
		open();
		CHECK_EQ(seen[class], 1, "class %u by CR8", class);
		apic_write(APIC_TPR, class << 4);
		apic_send(0, APIC_ICR_FIXED | class << 4 | 1);
		open();
		CHECK_EQ(seen[class], 1, "class %u held by TPR", class);
		apic_write(APIC_TPR, 0);
		open();
		CHECK_EQ(seen[class], 2, "class %u by TPR", class);
	}
	write_cr8(0);
}
