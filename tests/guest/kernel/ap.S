/* Where the other CPUs begin: real mode to 64-bit mode. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.set	ap_page, 0x8000
#define A(x)	(ap_page + (x) - ap_code)

	.section .rodata
	.globl	ap_code, ap_code_end
	.code16
	.balign	16
/* Copied to ap_page, and to other pages: only data are found at ap_page. */
ap_code:
	cli
	cld
	movw	%cs, %bp
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	A(1f)
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	$0x80010031, %eax
	movl	%eax, %cr0
	ljmpl	$8, $ap_long
	.balign	4
1:	.short	23
	.long	boot_gdt
ap_code_end:

	.text
	.code64
ap_long:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx		/* the APIC ID is the CPU's number */
	andl	$7, %ebx
	movl	%ebx, %edi
	incl	%ebx
	shll	$13, %ebx
	leaq	ap_stacks(%rbx), %rsp
	movzwl	%bp, %esi
	xorl	%ebp, %ebp
	call	ap_main
	ud2

	.section .bss
	.balign	16
ap_stacks:
	.skip	8 * 8192
