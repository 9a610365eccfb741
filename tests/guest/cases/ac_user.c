/* Alignment checks at CPL 3 with CR0.AM and RFLAGS.AC, and at no other time: #AC with error code 0,
 * once, at the instruction, with the program's registers in its frame. It is benign: what hits its
 * delivery comes alone (bug class 23). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define RFLAGS_AC 0x40000u

SNIPPET(ac_read, 64, "nop; movl 1(%rdi), %eax");
SNIPPET(ac_cpuid, 64, "cpuid; movl 1(%rdi), %eax");

static void one(const char *name, enum mode mode, bool cpuid, uint64_t rflags, bool faults)
{
	static uint8_t memory[16] __attribute__((aligned(16)));
	struct snippet s = {
	    .mode = mode,
	    .code = cpuid ? ac_cpuid : ac_read,
	    .code_end = cpuid ? ac_cpuid_end : ac_read_end,
	    .in = {.rdi = (uintptr_t)memory, .rflags = rflags},
	};

	snippet_run(&s);
	CHECK_EQ(s.out.vector, faults ? VECTOR_AC : VECTOR_END, "%s vector", name);
	CHECK_EQ(s.out.error, 0, "%s error", name);
	if (!faults)
		return;
	CHECK_EQ(s.out.rip, cpuid ? 2 : 1, "%s RIP", name);
	CHECK_EQ(s.out.cs & 3, 3, "%s CS", name);
	CHECK_EQ(s.out.ss & 3, 3, "%s SS", name);
	CHECK_EQ(s.out.rflags & RFLAGS_AC, RFLAGS_AC, "%s AC", name);
}

/* Its gate is not present, or the stack that its handler gets is not there. */
static void on_top(void)
{
	static uint8_t memory[16] __attribute__((aligned(16)));
	struct gate *gate = (struct gate *)idt_now().base + VECTOR_AC;
	struct snippet s = {
	    .mode = MODE_USER64,
	    .code = ac_read,
	    .code_end = ac_read_end,
	    .in = {.rdi = (uintptr_t)memory, .rflags = RFLAGS_AC},
	};
	uint64_t *ist3 = (uint64_t *)(void *)(tss_now() + TSS_IST1 + 16), saved;

	gate->type &= 0x7f;
	snippet_run(&s);
	gate->type |= 0x80;
	CHECK_EQ(s.out.vector, VECTOR_NP, "user gate vector");
	CHECK_EQ(s.out.error, VECTOR_AC * 8 + 3, "user gate error");
	memcpy(&saved, ist3, 8);
	memcpy(ist3, &(uint64_t){EVENT_BAD_ADDR}, 8);
	gate->ist = 3;
	snippet_run(&s);
	gate->ist = 0;
	memcpy(ist3, &saved, 8);
	CHECK_EQ(s.out.vector, VECTOR_PF, "user stack vector");
	CHECK_EQ(s.out.error, 2, "user stack error");
	CHECK_EQ(s.cr2, EVENT_BAD_ADDR - 8, "user stack CR2");
	CHECK_EQ(s.out.rip, 1, "user stack RIP");
}

GUEST_CASE(ac_user, "SDM 3A 6.15 (interrupts 8 and 17), APM 2 8.2.9 and 8.2.18")
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_AM);
	one("AM 0", MODE_USER64, false, RFLAGS_AC, false);
	write_cr0(cr0 | CR0_AM);
	one("AC 0", MODE_USER64, false, 0, false);
	one("CPL 0", MODE_64, false, RFLAGS_AC, false);
	one("user", MODE_USER64, false, RFLAGS_AC, true);
	one("user 32", MODE_USER32, false, RFLAGS_AC, true);
	one("user behind an exit", MODE_USER64, true, RFLAGS_AC, true);
	on_top();
	write_cr0(cr0);
}
