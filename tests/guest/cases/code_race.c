/*
 * Another CPU rewrites an instruction while it is carried out on memory that the VMM watches (the
 * local APIC): what happens is what one of its two forms does, and nothing else (bug class 9,
 * XSA-190).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define TURNS 5000u

static uint8_t code[16] __attribute__((aligned(16)));
static volatile uint32_t stop;

/* movl %eax, (%rdi) or movl %ecx, (%rdi): one byte. */
static void flip(void *arg)
{
	volatile uint8_t *byte = &code[1];

	(void)arg;
	while (!stop) {
		*byte = 0x0f;
		*byte = 0x07;
		cpu_relax();
	}
}

/* movl $0x10 or $0x20, (%rdi): its operand. */
static void flip_operand(void *arg)
{
	volatile uint8_t *byte = &code[2];

	(void)arg;
	while (!stop) {
		*byte = 0x20;
		*byte = 0x10;
		cpu_relax();
	}
}

static void run(const uint8_t *bytes, void (*other)(void *), const char *name)
{
	uint32_t none = 0, first = 0;

	memcpy(code, bytes, 8);
	stop = 0;
	cpu_start(1, other, NULL);
	for (unsigned n = 0; n < TURNS; n++) {
		uint32_t got;

		apic_write(APIC_TPR, 0x70);
		__asm__ volatile("call *%2"
				 :
				 : "a"(0x10), "c"(0x20), "r"(code),
				   "D"(UINT64_C(0xfee00000) + APIC_TPR)
				 : "memory");
		got = apic_read(APIC_TPR);
		none += got != 0x10 && got != 0x20;
		first += got == 0x10;
		if (n % 16 == 0)
			cpu_relax();
	}
	stop = 1;
	cpu_wait(1);
	apic_write(APIC_TPR, 0);
	CHECK_EQ(none, 0, "%s: neither form", name);
	CHECK(first > 0, "%s: the first form", name);
}

GUEST_CASE(code_race, "SDM 3A 9.1.3, APM 2 7.6.1", .cpus = 2)
{
	static const uint8_t by_register[8] = {0x89, 0x07, 0xc3};
	static const uint8_t by_operand[8] = {0xc7, 0x07, 0x10, 0, 0, 0, 0xc3};

	run(by_register, flip, "register");
	run(by_operand, flip_operand, "operand");
}
