/*
 * A data breakpoint on the frame that #DB pushes, on a stack of its own (IST): each delivery raises
 * the next, and the CPU comes to no instruction (CVE-2015-8104, bug class 23). The VMM must go on:
 * where it watches the APIC's page, it waits for that CPU when the page moves, and such a CPU
 * takes no NMI. QEMU has no such loop.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define IST        3u                             /* the kernel has it, for cases */
#define ELSEWHERE  UINT64_C(0xfea00000)           /* nothing is there */
#define DR7_WRITE8 (BIT(1) | UINT64_C(0x9) << 16) /* DR0: writes, 8 bytes */

SNIPPET(loop_store, 64, "movq %rax, (%rdi); nop");

static struct gate idt[256];

static void loop(void *arg)
{
	struct snippet s = {.mode = MODE_64, .code = loop_store, .code_end = loop_store_end};
	uint64_t top;

	(void)arg;
	memcpy(&top, tss_now() + TSS_IST1 + 8 * (IST - 1), sizeof(top));
	idt_copy(idt);
	idt[VECTOR_DB].ist = IST;
	idt_load((uintptr_t)idt, sizeof(idt) - 1);
	s.in.rdi = (top & ~UINT64_C(15)) - 8; /* the frame's SS */
	write_dr0(s.in.rdi);
	write_dr7(DR7_CLEAR | DR7_WRITE8);
	snippet_run(&s);
	write_dr7(DR7_CLEAR);
	tables_restore();
}

GUEST_CASE(loop_db, "SDM 3B 18.3.1, SDM 3C 28.2.1, APM 2 15.12.2", .cpus = 2)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t before = cpu_state(1)->started;

	cpu_start(1, loop, NULL);
	for (unsigned n = 0; n < 100000; n++)
		cpu_relax();
	CHECK(cpu_state(1)->work || !word_number("loops", 0), "it loops");
	/* where the VMM watches the APIC's page: it moves, on all CPUs */
	wrmsr(MSR_APIC_BASE, (base & 0xfff) | ELSEWHERE);
	wrmsr(MSR_APIC_BASE, base);
	CHECK_EQ(rdmsr(MSR_APIC_BASE), base, "the APIC is back");
	apic_send(1, APIC_ICR_INIT);
	apic_send(1, APIC_ICR_SIPI | 8);
	CHECK(cpu_wait_for(&cpu_state(1)->started, before + 1), "CPU 1 starts again");
}
