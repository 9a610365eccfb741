/* Where a CPU lands after a start-up IPI, or the boot CPU after S3, copied to a page below 1 MiB: real mode to long mode. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.section .rodata
	.code16
	.globl	trampoline_start
	.globl	trampoline_end
	.globl	trampoline_pml4
	.globl	trampoline_stack
	.globl	trampoline_entry
#define T(x) ((x) - trampoline_start)
	.balign	16
trampoline_start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%ebx, %ebx
	movw	%cs, %bx
	shll	$4, %ebx			/* physical address of this page */
	leal	T(tramp_gdt)(%ebx), %eax
	movl	%eax, T(tramp_gdtr) + 2
	leal	T(tramp_long)(%ebx), %eax
	movl	%eax, T(tramp_far)
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	T(trampoline_pml4), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x900, %eax			/* LME, NXE */
	wrmsr
	lgdtl	T(tramp_gdtr)
	movl	$0x80010001, %eax
	movl	%eax, %cr0
	ljmpl	*T(tramp_far)
	.code64
tramp_long:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movq	trampoline_stack(%rip), %rsp
	movq	trampoline_entry(%rip), %rax
	xorl	%ebp, %ebp
	call	*%rax
	ud2
	.balign	8
tramp_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
tramp_gdtr:
	.short	23
	.long	0
	.balign	8
tramp_far:
	.long	0
	.short	8
	.balign	8
trampoline_pml4:	.quad	0
trampoline_stack:	.quad	0
trampoline_entry:	.quad	0
trampoline_end:
