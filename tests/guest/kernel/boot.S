/* Entry of the guest micro-kernel: Multiboot 1 header, protected mode to 64-bit mode; 64-bit entry for UEFI. */
/* SPDX-License-Identifier: BSD-3-Clause */
#define MB1_MAGIC	0x1badb002
#define MB1_FLAGS	0x00010003	/* aligned modules, memory map; load addresses below */

	.section .head, "ax", @progbits
	.code32
	.balign	8
mb1_header:
	.long	MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	.long	mb1_header, image_start, image_file_end, image_end, multiboot_entry
	.balign	8
/* For a loader in 64-bit mode: RDI = struct boot_block, memory below 4 GiB mapped one to one. */
	.quad	entry64

/* 4 GiB one to one in 2 MiB pages, for all privilege levels. */
	.macro	fill_tables reg
	movl	$boot_pd, %edi
	movl	$0x87, %eax
	movl	$2048, %ecx
1:	movl	%eax, (%\reg)
	movl	$0, 4(%\reg)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$boot_pd + 7, %eax
	movl	$boot_pdpt, %edi
	movl	$4, %ecx
2:	movl	%eax, (%\reg)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	2b
	movl	$boot_pdpt + 7, boot_pml4
	.endm

	.text
	.code32
	.globl	multiboot_entry
multiboot_entry:
	cli
	cld
	movl	$boot_stack_top, %esp
	movl	%ebx, %ebp		/* the loader's information */
	fill_tables edi
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	$0x80010031, %eax	/* PG, WP, NE, ET, PE */
	movl	%eax, %cr0
	lgdtl	boot_gdtr
	ljmpl	$8, $1f
	.code64
1:	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$boot_stack_top, %esp
	movl	%ebp, %edi
	xorl	%ebp, %ebp
	call	multiboot_start
	ud2

entry64:
	cli
	cld
	movl	$boot_stack_top, %esp
	movq	%rdi, %rbx
	lgdt	boot_gdtr
	pushq	$8
	pushq	$1f
	lretq
1:	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	fill_tables rdi
	movl	$boot_pml4, %eax
	movq	%rax, %cr3
	movl	$0x80010031, %eax
	movq	%rax, %cr0
	movl	$0x20, %eax
	movq	%rax, %cr4
	movq	%rbx, %rdi
	xorl	%ebp, %ebp
	call	guest_start
	ud2

	.section .data
	.balign	8
	.globl	boot_gdt
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdtr:
	.short	23
	.quad	boot_gdt

	.section .bss
	.balign	4096
	.globl	boot_pml4, boot_pd
boot_pml4:	.skip	4096
boot_pdpt:	.skip	4096
boot_pd:	.skip	4 * 4096
	.skip	32768
	.globl	boot_stack_top
boot_stack_top:
