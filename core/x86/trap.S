/* Exception, NMI and interrupt entries of the VMM itself. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/gprs.inc"
	.text
	.altmacro
/*
 * Without an error code the stack pointer is 8 bytes off a multiple of 16 (SDM 3A 6.14.2). An external
 * interrupt has none, whatever its vector is.
 */
	.macro trap_entry n, has_error
trap_entry_\n:
	.if \has_error
	testb	$8, %spl
	jz	1f
	.endif
	pushq	$0
1:
	pushq	$\n
	jmp	trap_common
	.endm

	.set	i, 0
	.rept	256
	.if i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21 || i == 29 || i == 30
	trap_entry %i, 1
	.else
	trap_entry %i, 0
	.endif
	.set	i, i + 1
	.endr

trap_common:
	cld
	gprs_push
	movq	%rsp, %rdi
	call	trap_handle
	gprs_pop
	addq	$16, %rsp
	iretq

	.macro trap_pointer n
	.quad	trap_entry_\n
	.endm
	.section .rodata
	.globl	trap_entries
	.balign	8
trap_entries:
	.set	i, 0
	.rept	256
	trap_pointer %i
	.set	i, i + 1
	.endr

/* bool rdmsr_safe(uint32_t msr, uint64_t *value); bool wrmsr_safe(uint32_t msr, uint64_t value); ... */
	.macro extable from, to
	.pushsection .section.extable, "a"
	.quad	\from, \to
	.popsection
	.endm

	.text
	.globl	rdmsr_safe
rdmsr_safe:
	movl	%edi, %ecx
1:	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret
	extable	1b, safe_failed

	.globl	wrmsr_safe
wrmsr_safe:
	movl	%edi, %ecx
	movq	%rsi, %rax
	movq	%rsi, %rdx
	shrq	$32, %rdx
1:	wrmsr
	movl	$1, %eax
	ret
	extable	1b, safe_failed

/* void trap_let_interrupt(void): one interrupt may come. Its handler leaves IF clear. */
	.globl	trap_let_interrupt
	.globl	trap_let_interrupt_end
trap_let_interrupt:
	sti
	nop
	cli
trap_let_interrupt_end:
	ret

	.globl	xsetbv_safe
xsetbv_safe:
	movl	%edi, %ecx
	movq	%rsi, %rax
	movq	%rsi, %rdx
	shrq	$32, %rdx
1:	xsetbv
	movl	$1, %eax
	ret
	extable	1b, safe_failed

/*
 * uint64_t vmcall_handshake(uint64_t magic, const char *name, bool vmmcall): call 0 of whatever VMM there
 * is; returns its RCX, 0 when the instruction faults.
 */
	.globl	vmcall_handshake
vmcall_handshake:
	pushq	%rbx
	movq	%rdi, %rcx
	movq	%rsi, %rbx
	xorl	%eax, %eax
	testl	%edx, %edx
	jnz	2f
1:	vmcall
	jmp	3f
2:	vmmcall
3:	movq	%rcx, %rax
	popq	%rbx
	ret
4:	xorl	%ecx, %ecx
	jmp	3b
	extable	1b, 4b
	extable	2b, 4b

safe_failed:
	xorl	%eax, %eax
	ret

/*
 * void cpu_wait(const uint32_t *word): sleep until *word is not 0. An NMI between the test and the HLT
 * would be slept over; the NMI handler therefore moves a RIP inside [cpu_wait, cpu_wait_end) back to
 * cpu_wait.
 */
	.globl	cpu_wait
	.globl	cpu_wait_end
cpu_wait:
	cmpl	$0, (%rdi)
	jne	1f
	hlt
cpu_wait_end:
	jmp	cpu_wait
1:	ret
