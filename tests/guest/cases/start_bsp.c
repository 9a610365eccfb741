/*
 * INIT to the boot CPU by itself, with the warm start that BIOSes have since the AT: the CPU begins
 * at F000:FFF0, firmware finds 0Ah in CMOS byte 0Fh, and jumps to what 40:67 names. The
 * kernel looks whether the CPU is still under the VMM (bug class 25).
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/kernel.h"

#define PAGE       0x9000u
#define CMOS_RESET 0x0fu
#define JUMP       0x0au /* by 40:67, and nothing else */

static uintptr_t vector = 0x467; /* not a constant: no object of C lies there */

uint64_t bsp_stack;
uint32_t bsp_init(void);
extern const uint8_t bsp_code[], bsp_code_end[];

/* bsp_init() returns by bsp_code, which is at PAGE: as start-up code of other CPUs. */
__asm__(
    ".text\n.globl bsp_init\nbsp_init:\n"
    "pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
    "movq %rsp, bsp_stack\n"
    "movl $0xfee00000, %edx\n movl $0, 0x310(%rdx)\n movl $0x4500, 0x300(%rdx)\n"
    "1: pause\n jmp 1b\n"
    "bsp_long: movl $16, %eax\n movl %eax, %ds\n movl %eax, %es\n movl %eax, %ss\n"
    "movq bsp_stack, %rsp\n popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n"
    "movzwl %si, %eax\n ret\n"
    ".section .rodata\n.code16\nbsp_code:\n"
    "cli\n cld\n movw %cs, %si\n movl %cr0, %edi\n lgdtl %cs:bsp_gdtr - bsp_code\n"
    "movl %cr4, %eax\n orl $0x20, %eax\n movl %eax, %cr4\n movl $boot_pml4, %eax\n movl %eax, "
    "%cr3\n"
    "movl $0xc0000080, %ecx\n rdmsr\n orl $0x100, %eax\n wrmsr\n"
    "movl $0x80010031, %eax\n movl %eax, %cr0\n ljmpl $8, $bsp_long\n"
    ".balign 4\nbsp_gdtr: .short 23\n.long boot_gdt\nbsp_code_end:\n.code64\n.text");

GUEST_CASE(start_bsp, "SDM 3A 9.1.4 and 9.4.3, SDM 3A table 10-1, APM 2 14.1.3", .cpus = 2)
{
	uint16_t to[2] = {0, PAGE >> 4};

	memcpy((void *)(uintptr_t)PAGE, bsp_code, (size_t)(bsp_code_end - bsp_code));
	memcpy((void *)vector, to, sizeof(to));
	outb(0x70, CMOS_RESET);
	outb(0x71, JUMP);
	write_dr0(0x1234);
	CHECK_EQ(bsp_init(), PAGE >> 4, "CS");
	trap_load(0);
	apic_write(APIC_SVR, 0x1ff);
	CHECK_EQ(apic_read(APIC_ID) >> 24, 0, "APIC ID");
	CHECK_EQ(read_dr0(), 0, "DR0");
	CHECK_EQ(apic_read(APIC_TPR), 0, "TPR");
	/* it starts the others as before */
	cpu_copy_start(0x8000);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		uint32_t started = cpu_state(cpu)->started;

		apic_send(cpu, APIC_ICR_INIT);
		apic_send(cpu, APIC_ICR_SIPI | 8);
		CHECK(cpu_wait_for(&cpu_state(cpu)->started, started + 1), "CPU %u starts", cpu);
	}
}
