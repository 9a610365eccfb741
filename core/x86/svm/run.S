/* Entering the guest by VMRUN, and coming back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/gprs.inc"

	.text
/*
 * _Noreturn void svm_run_loop(struct vcpu *v): GIF is 0 and the guest's VMLOAD state is in the CPU. The
 * stack pointer is the vcpu itself: the stack grows down from it, the saved registers lie above it.
 *
 * Frequent exits end in svm_exit_lean(). It is C, so the registers that a C function keeps are still the
 * guest's behind it, and are stored only for svm_exit().
 */
	.globl	svm_run_loop
svm_run_loop:
	movq	%rdi, %rsp
1:	gprs_kept	gpr_load
2:	gprs_scratch	gpr_load
	movq	128(%rsp), %rax
	vmrun	%rax
	gprs_scratch	gpr_save
	movq	160(%rsp), %rax
	orq	168(%rsp), %rax
	jnz	3f
	movq	%rsp, %rdi
	call	svm_exit_lean
	testb	%al, %al
	jnz	2b
3:	gprs_kept	gpr_save
	movq	%rsp, %rdi
	call	svm_exit
	jmp	1b
