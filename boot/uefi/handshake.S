/* The call that only this VMM answers, and the exception handlers around it. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.text
/* VMMCALL on AMD-V (EDX not 0), else VMCALL: what suits the other vendor is #UD. Changes flags. */
	.macro vmm_call
	test	%edx, %edx
	jnz	.Lamd\@
	.byte	0x0f, 0x01, 0xc1
	jmp	.Ldone\@
.Lamd\@:	.byte	0x0f, 0x01, 0xd9
.Ldone\@:
	.endm

/*
 * uint64_t handshake_call(const char *name, uint64_t magic, uint32_t is_amd)
 * RAX = 0, RBX = name, RCX = magic; returns RCX, or 0 when the instruction faulted.
 */
	.globl	handshake_call
	.type	handshake_call, @function
handshake_call:
	push	%rbx
	mov	%rdi, %rbx
	mov	%rsi, %rcx
	xor	%eax, %eax
	vmm_call
	mov	%rcx, %rax
	pop	%rbx
	ret
	.size	handshake_call, . - handshake_call

/*
 * uint64_t handshake_named(const char *name, uint64_t magic, uint32_t is_amd)
 * Ask for the number of the call, then call it; returns 1, or 0 when nobody answers or knows it.
 */
	.globl	handshake_named
	.type	handshake_named, @function
handshake_named:
	push	%rbx
	mov	%rdi, %rbx
	mov	%rsi, %rcx
	xor	%eax, %eax
	vmm_call
	not	%rcx
	cmp	%rcx, %rsi
	jne	1f
	test	%eax, %eax
	jz	1f
	vmm_call
	mov	$1, %eax
	pop	%rbx
	ret
1:	xor	%eax, %eax
	pop	%rbx
	ret
	.size	handshake_named, . - handshake_named

/* #GP has an error code, #UD has none; both instructions have three bytes. */
	.globl	handshake_gp
	.type	handshake_gp, @function
handshake_gp:
	add	$8, %rsp
	.globl	handshake_ud
	.type	handshake_ud, @function
handshake_ud:
	xor	%ecx, %ecx
	addq	$3, (%rsp)
	iretq
	.size	handshake_ud, . - handshake_ud
	.size	handshake_gp, . - handshake_gp
	.section .note.GNU-stack, "", @progbits
