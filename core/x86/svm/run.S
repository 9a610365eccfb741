/* Entering the guest by VMRUN, and coming back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/gprs.inc"

	.text
/*
 * _Noreturn void svm_run_loop(struct vcpu *v): GIF is 0 and the guest's VMLOAD state is in the CPU. The
 * stack pointer is the vcpu itself: the stack grows down from it, the saved registers lie above it.
 */
	.globl	svm_run_loop
svm_run_loop:
	movq	%rdi, %rsp
1:	gprs_do	gpr_load
	movq	128(%rsp), %rax
	vmrun	%rax
	gprs_do	gpr_save
	movq	%rsp, %rdi
	call	svm_exit
	jmp	1b
