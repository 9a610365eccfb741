/* Entering the guest by VMLAUNCH or VMRESUME, and coming back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/gprs.inc"

	.text
/*
 * _Noreturn void vt_run_loop(struct vcpu *v): the VMCS is current and complete. The stack pointer is the
 * vcpu itself, here as after an exit (HOST_RSP): the stack grows down from it, the saved registers lie
 * above it.
 *
 * Frequent exits end in vt_exit_lean(). It is C, so the registers that a C function keeps are still the
 * guest's behind it, and are stored only for vt_exit().
 */
	.globl	vt_run_loop
	.globl	vt_exit_entry
vt_run_loop:
	movq	%rdi, %rsp
1:	cmpq	$0, 152(%rsp)
	movq	0 * 8(%rsp), %rax
	gprs_kept	gpr_load
	gprs_scratch	gpr_load
	je	3f
2:	vmresume
	jmp	4f
3:	movq	$1, 152(%rsp)
	vmlaunch
4:	movq	%rsp, %rdi	/* VMfail: the reason is in the instruction-error field */
	call	vt_entry_failed
vt_exit_entry:
	movq	%rax, 0 * 8(%rsp)
	gprs_scratch	gpr_save
	movl	$0x4402, %eax	/* exit reason */
	vmread	%rax, %rsi
	movq	160(%rsp), %rax
	orq	168(%rsp), %rax
	jnz	5f
	movq	%rsp, %rdi
	call	vt_exit_lean
	movl	%eax, %esi
	incl	%eax		/* -1: done */
	jnz	5f
	movq	0 * 8(%rsp), %rax
	gprs_scratch	gpr_load
	jmp	2b
5:	gprs_kept	gpr_save
	movq	%rsp, %rdi
	call	vt_exit
	jmp	1b
