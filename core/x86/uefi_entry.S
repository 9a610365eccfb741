/* The entry that loadvmm.efi calls, and the way back into its address space. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/boot_tables.inc"
#include "core/x86/gprs.inc"
#include "core/vm/handover_offsets.h"

	.section .boot.text, "ax", @progbits
	.code64
/*
 * int uefi_entry(uint32_t op, struct boot_info *bi), called at its physical address with the firmware's
 * page tables. Builds struct handover_frame on the caller's stack.
 */
	.globl	uefi_entry
uefi_entry:
	subq	$32, %rsp			/* rflags, cr3, efer, image; return_rip is above */
	gprs_push
	pushfq
	popq	128(%rsp)
	cli
	cld
	movq	%rsp, %rbp			/* the frame */
	movl	%edi, %r14d
	movq	%rsi, %r15
	movq	%cr3, %rax
	movq	%rax, 136(%rbp)
	movl	$0xc0000080, %ecx
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, 144(%rbp)
	btl	$11, %eax
	jc	1f
	btsl	$11, %eax			/* NXE: the VMM's tables use it */
	shrq	$32, %rdx
	wrmsr
1:	leaq	image_start_low(%rip), %rbx
	subq	$(image_start_low - VIRT), %rbx	/* physical address of the image */
	movq	%rbx, 152(%rbp)
	leaq	boot_pml4 - VIRT(%rbx), %r12
	testl	%r14d, %r14d
	jnz	3f
	/* BOOT_OP_INIT: the image at VIRT, the lower half as the firmware has it */
	map_image %rbx
	movq	136(%rbp), %rsi
	andq	$~0xfff, %rsi
	movq	%r12, %rdi
	movl	$256, %ecx
	rep movsq
3:	movq	%r12, %cr3
	movq	$4f, %rax
	jmp	*%rax
image_start_low:
4:	movl	%r14d, %edi
	movq	%r15, %rsi
	movq	%rbp, %rdx
	andq	$~15, %rsp
	call	uefi_main
	movl	%eax, %r13d
	/* back: the lower alias of this code is in both address spaces */
	leaq	5f - VIRT(%rbx), %rax
	jmp	*%rax
5:	movq	136(%rbp), %rax
	movq	%rax, %cr3
	movq	144(%rbp), %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000080, %ecx
	wrmsr
	movq	%rbp, %rsp
	movl	%r13d, (%rsp)			/* RAX */
	movl	$0, 4(%rsp)
	pushq	128(%rsp)
	popfq
	gprs_pop
	leaq	32(%rsp), %rsp
	ret

/* _Noreturn void handover_on_stack(struct cpu *cpu, void (*function)(struct cpu *cpu)) */
	.globl	handover_on_stack
handover_on_stack:
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	call	*%rsi
	ud2

/*
 * _Noreturn void handover_restore(const struct vcpu_state *s): load a 64-bit CPL 0 state. By way of the
 * boot tables, which have both the VMM's and the firmware's half; `s` lies in the image's region, so it
 * is copied by its lower alias. Offsets: see the static assertions in uefi_main.c.
 */
	.globl	handover_restore
handover_restore:
	movq	uefi_image_phys, %rbx
	leaq	boot_pml4 - VIRT(%rbx), %rax
	movq	%rax, %cr3
	movq	$VIRT, %rax
	subq	%rax, %rdi
	addq	%rbx, %rdi			/* lower alias of *s */
	leaq	1f - VIRT(%rbx), %rax
	jmp	*%rax
1:	movq	HANDOVER_CR4(%rdi), %rax
	movq	%rax, %cr4
	movq	HANDOVER_CR3(%rdi), %rax
	movq	%rax, %cr3
	movq	HANDOVER_CR0(%rdi), %rax
	movq	%rax, %cr0
	movq	4 * 8(%rdi), %rsp
	/* what is popped last, below the caller's stack pointer: a 64-bit IRETQ frame */
	movzwl	HANDOVER_SS(%rdi), %eax
	pushq	%rax
	pushq	4 * 8(%rdi)
	pushq	HANDOVER_RFLAGS(%rdi)
	movzwl	HANDOVER_CS(%rdi), %eax
	pushq	%rax
	pushq	HANDOVER_RIP(%rdi)
	/* tables: limit and base as LGDT wants them */
	subq	$16, %rsp
	movl	HANDOVER_GDTR + 8(%rdi), %eax
	movw	%ax, (%rsp)
	movq	HANDOVER_GDTR(%rdi), %rax
	movq	%rax, 2(%rsp)
	lgdt	(%rsp)
	/* TR before the IDT: the descriptor is busy, make it available first */
	movzwl	HANDOVER_TR(%rdi), %ecx
	testl	%ecx, %ecx
	jz	2f
	andb	$~2, 5(%rax, %rcx)
	ltr	%cx
2:	movl	HANDOVER_IDTR + 8(%rdi), %eax
	movw	%ax, (%rsp)
	movq	HANDOVER_IDTR(%rdi), %rax
	movq	%rax, 2(%rsp)
	lidt	(%rsp)
	addq	$16, %rsp
	movzwl	HANDOVER_LDTR(%rdi), %eax
	lldt	%ax
	movzwl	HANDOVER_DS(%rdi), %eax
	movw	%ax, %ds
	movzwl	HANDOVER_ES(%rdi), %eax
	movw	%ax, %es
	movzwl	HANDOVER_FS(%rdi), %eax
	movw	%ax, %fs
	movzwl	HANDOVER_GS(%rdi), %eax
	movw	%ax, %gs
	movzwl	HANDOVER_SS(%rdi), %eax
	movw	%ax, %ss
	movq	HANDOVER_EFER(%rdi), %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000080, %ecx
	wrmsr
	movq	HANDOVER_FS_BASE(%rdi), %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000100, %ecx
	wrmsr
	movq	HANDOVER_GS_BASE(%rdi), %rax
	movq	%rax, %rdx
	shrq	$32, %rdx
	movl	$0xc0000101, %ecx
	wrmsr
	movq	0 * 8(%rdi), %rax
	movq	1 * 8(%rdi), %rcx
	movq	2 * 8(%rdi), %rdx
	movq	3 * 8(%rdi), %rbx
	movq	5 * 8(%rdi), %rbp
	movq	6 * 8(%rdi), %rsi
	movq	8 * 8(%rdi), %r8
	movq	9 * 8(%rdi), %r9
	movq	10 * 8(%rdi), %r10
	movq	11 * 8(%rdi), %r11
	movq	12 * 8(%rdi), %r12
	movq	13 * 8(%rdi), %r13
	movq	14 * 8(%rdi), %r14
	movq	15 * 8(%rdi), %r15
	movq	7 * 8(%rdi), %rdi
	iretq

