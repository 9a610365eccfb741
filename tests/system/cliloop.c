/* Guest program: computes for COUNT times TICKS of the TSC, with interrupts off meanwhile. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "guestprogram.h"

__asm__(".globl _start\n"
	"_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	while (*s)
		v = v * 10 + (uint64_t)(*s++ - '0');
	return v;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	uint64_t count = number((const char *)stack[2]), ticks = number((const char *)stack[3]);

	if (SYS(SYS_iopl, 3)) {
		say("no iopl\n");
		leave(1);
	}
	while (count--) {
		__asm__ volatile("cli");
		for (uint64_t start = tsc(); tsc() - start < ticks;)
			;
		__asm__ volatile("sti");
	}
	say_number(1, 10);
	leave(0);
}
