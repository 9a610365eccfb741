/* Leaving long mode for real mode without a VMM: the way on when the VMM does not start. */
/* SPDX-License-Identifier: BSD-3-Clause */
#define N(x) ((x) - realmode_native)

	.section .rodata
	.globl	realmode_native
	.globl	realmode_native_end
/*
 * Copied to a page below 1 MiB, entered there in 64-bit mode through an identity map: RDI = address of the
 * page, SI = real-mode segment to go on at, offset 0.
 */
	.code64
	.balign	16
realmode_native:
	leaq	N(native_gdt)(%rdi), %rax
	movq	%rax, N(native_gdtr) + 2(%rdi)
	leaq	N(native32)(%rdi), %rax
	movl	%eax, N(native_far)(%rdi)
	/* the 16-bit code segment begins at this page, as the real-mode one will */
	movl	%edi, %eax
	movw	%ax, N(native_gdt) + 0x18 + 2(%rdi)
	shrl	$16, %eax
	movb	%al, N(native_gdt) + 0x18 + 4(%rdi)
	movw	%si, N(native_target) + 2(%rdi)
	movl	%edi, %eax
	shrl	$4, %eax
	movw	%ax, N(native_real) + 2(%rdi)
	lgdt	N(native_gdtr)(%rdi)
	lidt	N(native_idtr)(%rdi)
	ljmp	*N(native_far)(%rdi)
	.code32
native32:
	movw	$0x10, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movl	%cr0, %eax
	andl	$0x7fffffff, %eax
	movl	%eax, %cr0
	movl	$0xc0000080, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	xorl	%eax, %eax
	movl	%eax, %cr3
	movl	%eax, %cr4
	movw	$0x20, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	ljmp	*%cs:N(native_far16)(%edi)
	.code16
native16:
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmpw	*%cs:N(native_real)
native_in_real:
	movw	%cs, %ax
	movw	%ax, %ds
	ljmp	*N(native_target)
	.balign	8
native_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: 32-bit code */
	.quad	0x00cf93000000ffff	/* 0x10: data */
	.quad	0x00009b000000ffff	/* 0x18: 16-bit code */
	.quad	0x000093000000ffff	/* 0x20: 16-bit data */
native_gdtr:
	.short	39
	.quad	0
native_idtr:
	.short	0x3ff
	.quad	0
	.balign	4
native_far:
	.long	0
	.short	0x08
	.balign	4
native_far16:
	.long	N(native16)
	.short	0x18
	.balign	4
native_real:
	.short	N(native_in_real), 0
native_target:
	.short	0, 0
realmode_native_end:
