/* Resetting the machine. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/reset.h"
#include "core/x86/clock.h"
#include "core/x86/cpu.h"

void reset_machine(void)
{
	struct desc_ptr none = {0, 0};

	cpu_cli();
	outb(0xcf9, 0x02); /* reset control register of Intel and AMD south bridges: full reset */
	clock_delay_us(10);
	outb(0xcf9, 0x06);
	clock_delay_us(50000);
	outb(0x64, 0xfe);
	clock_delay_us(50000);
	lidt(&none);
	__asm__ volatile("int3");
	for (;;)
		__asm__ volatile("hlt");
}
