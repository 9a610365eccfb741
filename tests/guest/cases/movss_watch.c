/*
 * A data breakpoint that hits in MOV SS stays pending over the next instruction; when that one
 * exits, the breakpoint must neither be lost nor come early, nor make the VM entry fail (XSA-308,
 * CVE-2018-8897).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

SNIPPET(watch_nop, 64, "movw (%rbx), %ss; nop; nop; nop");
SNIPPET(watch_cpuid, 64, "movw (%rbx), %ss; cpuid; nop");
SNIPPET(watch_wrmsr, 64, "movw (%rbx), %ss; wrmsr; nop");

static uint16_t selector[2] __attribute__((aligned(4)));

static void watch(const char *name, const uint8_t *code, const uint8_t *end, unsigned length)
{
	uint64_t efer = rdmsr(MSR_EFER);
	struct snippet s = {
	    .mode = MODE_64,
	    .code = code,
	    .code_end = end,
	    .trace = true,
	    .in = {.rbx = (uintptr_t)selector, .rcx = MSR_EFER, .rax = efer},
	};

	write_dr0((uintptr_t)selector);
	write_dr7(DR7_CLEAR | 1 | 7 << 16); /* L0, two bytes, reads and writes */
	snippet_run(&s);
	write_dr7(DR7_CLEAR);
	CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", name);
	CHECK_EQ(s.steps, 1, "%s count", name);
	CHECK_EQ(s.step[0].rip, 2 + length, "%s RIP", name);
	CHECK_EQ(s.step[0].dr6 & 0xf, 1, "%s DR6", name);
}

GUEST_CASE(movss_watch, "SDM 3A 6.8.3, SDM 3B 18.2.3")
{
	__asm__("movl %%ss, %k0" : "=r"(selector[0]));
	watch("nop", watch_nop, watch_nop_end, 1);
	watch("cpuid", watch_cpuid, watch_cpuid_end, 2);
	watch("wrmsr", watch_wrmsr, watch_wrmsr_end, 2);
}
