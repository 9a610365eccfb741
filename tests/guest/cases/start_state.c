/* What a CPU's registers hold at the first instruction behind INIT and start-up IPI, whatever they
 * held before (bug class 25). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PAGE 0x9000u
#define DATA ((volatile uint32_t *)(uintptr_t)saved)

static uintptr_t saved = 0x9800; /* not a constant: no object of C lies there */

/* Real mode at PAGE: registers to 0x9800, then to the kernel's start-up code. */
__asm__(
    ".pushsection .rodata\n.code16\nstate_code:\n"
    "movl %eax, %cs:0x800\n movl %ebx, %cs:0x804\n movl %ecx, %cs:0x808\n movl %edx, %cs:0x80c\n"
    "movl %esi, %cs:0x810\n movl %edi, %cs:0x814\n movl %ebp, %cs:0x818\n movl %esp, %cs:0x81c\n"
    "movl %cr0, %eax\n movl %eax, %cs:0x820\n movl %cr2, %eax\n movl %eax, %cs:0x824\n"
    "movl %cr3, %eax\n movl %eax, %cs:0x828\n movl %cr4, %eax\n movl %eax, %cs:0x82c\n"
    "movl %dr0, %eax\n movl %eax, %cs:0x830\n movl %dr3, %eax\n movl %eax, %cs:0x834\n"
    "movl %dr6, %eax\n movl %eax, %cs:0x838\n movl %dr7, %eax\n movl %eax, %cs:0x83c\n"
    "movw %ds, %cs:0x840\n movw %es, %cs:0x842\n movw %ss, %cs:0x844\n movw %fs, %cs:0x846\n"
    "movw %gs, %cs:0x848\n movw $0, %cs:0x84a\n sidtl %cs:0x850\n sgdtl %cs:0x858\n"
    "movl $0xc0000080, %ecx\n rdmsr\n movl %eax, %cs:0x84c\n"
    "ljmp $0x800, $0\nstate_code_end:\n.code64\n.popsection");
extern const uint8_t state_code[], state_code_end[];

static void disturb(void *arg)
{
	(void)arg;
	write_dr0(UINT64_C(0x1234567890));
	__asm__ volatile("movq %0, %%dr3" : : "r"(UINT64_C(0x5a5a5a5a)));
	write_dr6(DR6_CLEAR | 5);
	write_cr2(UINT64_C(0x123456789));
	write_cr4(read_cr4() | CR4_DE);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}

GUEST_CASE(start_state, "SDM 3A table 10-1 (INIT), 9.4.4; APM 2 table 14-1 and 14.1.5", .cpus = 2)
{
	static const char *const names[] = {"EAX", "EBX", "ECX", NULL,  "ESI", "EDI", "EBP",
					    "ESP", NULL,  "CR2", "CR3", "CR4", "DR0", "DR3"};
	unsigned last = cpu_count() - 1;
	uint32_t started = cpu_state(last)->started, cr0 = (uint32_t)read_cr0();

	cpu_copy_start(0x8000);
	memcpy((void *)(uintptr_t)PAGE, state_code, (size_t)(state_code_end - state_code));
	cpu_call(last, disturb, NULL);
	apic_send(last, APIC_ICR_INIT);
	apic_send(last, APIC_ICR_SIPI | PAGE >> 12);
	CHECK(cpu_wait_for(&cpu_state(last)->started, started + 1), "starts");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i])
			CHECK_EQ(DATA[i], 0, "%s", names[i]);
	}
	CHECK_EQ(DATA[3], cpuid(1, 0).eax, "EDX");
	CHECK_EQ(DATA[8], CR0_ET | (cr0 & (CR0_CD | CR0_NW)), "CR0");
	CHECK_EQ(DATA[14], DR6_CLEAR, "DR6");
	CHECK_EQ(DATA[15], DR7_CLEAR, "DR7");
	CHECK_EQ(DATA[16], 0, "DS and ES");
	CHECK_EQ(DATA[17], 0, "SS and FS");
	CHECK_EQ(DATA[18], 0, "GS");
	CHECK_EQ(DATA[19], 0, "EFER");
	CHECK_EQ(DATA[20], 0xffff, "IDT limit and base");
	CHECK_EQ(DATA[22], 0xffff, "GDT limit and base");
}
