/* Exceptions and interrupts in 64-bit mode; entering and leaving snippets; calls that can be left early. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/stubs.inc"

	.macro	save_all
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm
	.macro	restore_all
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	.endm

	.text
/* One stub of 16 bytes for each vector. */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	vector_stubs "pushq $0", trap_common

trap_common:
	save_all
	cld
	movq	%rsp, %rdi
	call	trap_handle
	restore_all
	addq	$16, %rsp
	iretq

/* void snippet_enter(struct frame *f, uint64_t *stack): returns by snippet_leave(*stack, 0) only. */
	.globl	snippet_enter
snippet_enter:
	push_saved
	movq	%rsp, (%rsi)
	movq	%rdi, %rsp
	restore_all
	addq	$16, %rsp
	iretq

/* uint64_t protected_call(void (*f)(void), uint64_t *stack): 0, or what protected_leave() says. */
	.globl	protected_call
protected_call:
	push_saved
	movq	%rsp, (%rsi)
	call	*%rdi
	xorl	%eax, %eax
protected_end:
	pop_saved
	ret

/* _Noreturn void protected_leave(uint64_t stack, uint64_t value): by IRET, so that NMIs are unblocked. */
	.globl	protected_leave
protected_leave:
	movl	$0x33, %eax
	movl	%eax, %ds
	movl	%eax, %es
	pushq	$16
	pushq	%rdi
	pushq	$2
	pushq	$8
	pushq	$1f
	movq	%rsi, %rax
	iretq
1:	jmp	protected_end
