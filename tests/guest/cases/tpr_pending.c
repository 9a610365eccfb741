/* Task priority as Windows uses it, by CR8 and by the APIC in turn, while interrupts of many
 * classes wait: each comes when its class is let through, in the order of their classes, and once,
 * over thousands of rounds (bug class 29). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define ROUNDS 400u
#define FIRST  3u
#define LAST   14u

static volatile uint32_t count, order, wrong, level;

static bool handler(struct frame *f)
{
	uint32_t class = (uint32_t)f->vector >> 4;

	wrong += class <= level || class >= order;
	order = class;
	count++;
	apic_write(APIC_EOI, 0);
	return true;
}

static void set(uint32_t n, uint32_t class)
{
	level = class;
	if (n & 1)
		write_cr8(class);
	else
		apic_write(APIC_TPR, class << 4);
	order = 16;
	/* what comes in one window comes from the highest class down */
	__asm__ volatile("sti; nop; nop; nop; nop; cli" : : : "memory");
}

GUEST_CASE(tpr_pending, "SDM 3A 11.8.3.1, 11.8.4 and 11.8.6; APM 2 16.6.4")
{
	uint32_t lost = 0;

	apic_write(APIC_SVR, 0x1ff);
	count = wrong = 0;
	for (uint32_t class = FIRST; class <= LAST; class ++)
		trap_set(class << 4 | 5, handler);
	for (uint32_t n = 0; n < ROUNDS; n++) {
		uint32_t before = count;

		set(n, 15);
		for (uint32_t class = FIRST; class <= LAST; class ++)
			apic_send(0, APIC_ICR_FIXED | class << 4 | 5);
		wrong += count != before;
		for (uint32_t class = LAST; class -- > FIRST;) {
			set(n + class, class);
			lost += count - before != LAST - class;
		}
		set(n, 0);
		lost += count - before != LAST - FIRST + 1;
	}
	write_cr8(0);
	CHECK_EQ(wrong, 0, "held back, and in order");
	CHECK_EQ(lost, 0, "each when it may");
	CHECK_EQ(count, ROUNDS * (LAST - FIRST + 1), "count");
}
