/* An instruction breakpoint on an instruction that exits, and one on the next: the first one's
 * handler sets RF, which holds for one instruction, and the second breakpoint must still come (bug
 * class 22). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

static const struct insn {
	const char *name;
	uint8_t length, bytes[3];
	uint32_t ecx;
} insns[] = {
    {"nop", 1, {0x90}, 0}, /* does not exit */
    {"cpuid", 2, {0x0f, 0xa2}, 0},
    {"cpuid-d", 2, {0x0f, 0xa2}, 1}, /* EAX: leaf 0xd, which is not lean */
    {"rdmsr", 2, {0x0f, 0x32}, MSR_EFER},
    {"wrmsr", 2, {0x0f, 0x30}, MSR_EFER},
    {"wbinvd", 2, {0x0f, 0x09}, 0},
    {"in", 1, {0xec}, 0},             /* in (%dx), %al */
    {"apic", 2, {0x89, 0x2f}, 0},     /* mov %ebp, (%rdi) */
    {"apic-ecx", 2, {0x89, 0x0f}, 0}, /* lean, the second time */
};

GUEST_CASE(step_rf, "SDM 3A 2.3 (RF), SDM 3B 18.3.1.1, APM 2 13.1.4")
{
	uint16_t port = acpi_pm1_port();

	for (unsigned i = 0; i < 2 * sizeof(insns) / sizeof(insns[0]); i++) {
		const struct insn *n = &insns[i / 2]; /* twice: what an exit did may be kept */
		uint8_t bytes[5];
		uint64_t value = n->ecx > 1 ? rdmsr(n->ecx) : n->ecx ? 0xd : 0;
		struct snippet s = {.trace = true};

		memcpy(bytes, n->bytes, n->length);
		bytes[n->length] = bytes[n->length + 1] = 0x90;
		snippet_bytes(&s, bytes, n->length + 2u);
		s.in.rcx = n->ecx;
		s.in.rax = value & 0xffffffff;
		s.in.rdx = n->bytes[0] == 0xec ? port : value >> 32;
		s.in.rdi = 0xfee00000 + APIC_ICR_HIGH;
		write_dr0(SNIPPET_BASE(0));
		write_dr1(SNIPPET_BASE(0) + n->length);
		write_dr7(DR7_CLEAR | 5); /* L0, L1 */
		snippet_run(&s);
		write_dr7(DR7_CLEAR);
		CHECK_EQ(s.out.vector, VECTOR_END, "%s vector", n->name);
		CHECK_EQ(s.steps, 2, "%s count", n->name);
		CHECK_EQ(s.step[0].rip, 0, "%s RIP", n->name);
		CHECK_EQ(s.step[0].dr6 & 0xf, 1, "%s DR6", n->name);
		CHECK_EQ(s.step[1].rip, n->length, "%s next RIP", n->name);
		CHECK_EQ(s.step[1].dr6 & 0xf, 2, "%s next DR6", n->name);
	}
	write_dr0(0);
	write_dr1(0);
}
