/* Entering the guest by VMLAUNCH or VMRESUME, and coming back. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/gprs.inc"

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
	gprs_do	gpr_load
	je	2f
	vmresume
	jmp	3f
2:	movq	$1, 152(%rsp)
	vmlaunch
3:	movq	%rsp, %rdi	/* VMfail: the reason is in the instruction-error field */
	call	vt_entry_failed
vt_exit_entry:
	movq	%rax, 0 * 8(%rsp)
	gprs_do	gpr_save
	movq	%rsp, %rdi
	call	vt_exit
	jmp	1b
