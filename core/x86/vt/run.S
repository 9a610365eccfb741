/* Entering the guest by VMLAUNCH or VMRESUME, and coming back. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.text
/*
 * _Noreturn void vt_run_loop(struct vcpu *v): the VMCS is current and complete. The stack pointer is the
 * vcpu itself, here as after an exit (HOST_RSP): the stack grows down from it, the saved registers lie
 * above it.
 */
	.globl	vt_run_loop
	.globl	vt_exit_entry
vt_run_loop:
	movq	%rdi, %rsp
1:	cmpq	$0, 152(%rsp)
	movq	0 * 8(%rsp), %rax
	movq	1 * 8(%rsp), %rcx
	movq	2 * 8(%rsp), %rdx
	movq	3 * 8(%rsp), %rbx
	movq	5 * 8(%rsp), %rbp
	movq	6 * 8(%rsp), %rsi
	movq	7 * 8(%rsp), %rdi
	movq	8 * 8(%rsp), %r8
	movq	9 * 8(%rsp), %r9
	movq	10 * 8(%rsp), %r10
	movq	11 * 8(%rsp), %r11
	movq	12 * 8(%rsp), %r12
	movq	13 * 8(%rsp), %r13
	movq	14 * 8(%rsp), %r14
	movq	15 * 8(%rsp), %r15
	je	2f
	vmresume
	jmp	3f
2:	movq	$1, 152(%rsp)
	vmlaunch
3:	movq	%rsp, %rdi	/* VMfail: the reason is in the instruction-error field */
	call	vt_entry_failed
vt_exit_entry:
	movq	%rax, 0 * 8(%rsp)
	movq	%rcx, 1 * 8(%rsp)
	movq	%rdx, 2 * 8(%rsp)
	movq	%rbx, 3 * 8(%rsp)
	movq	%rbp, 5 * 8(%rsp)
	movq	%rsi, 6 * 8(%rsp)
	movq	%rdi, 7 * 8(%rsp)
	movq	%r8, 8 * 8(%rsp)
	movq	%r9, 9 * 8(%rsp)
	movq	%r10, 10 * 8(%rsp)
	movq	%r11, 11 * 8(%rsp)
	movq	%r12, 12 * 8(%rsp)
	movq	%r13, 13 * 8(%rsp)
	movq	%r14, 14 * 8(%rsp)
	movq	%r15, 15 * 8(%rsp)
	movq	%rsp, %rdi
	call	vt_exit
	jmp	1b
