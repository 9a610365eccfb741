/* The call that only this VMM answers, and the exception handlers around it. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.text
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
	test	%edx, %edx
	jnz	1f
	.byte	0x0f, 0x01, 0xc1	/* vmcall */
	jmp	2f
1:	.byte	0x0f, 0x01, 0xd9	/* vmmcall */
2:	mov	%rcx, %rax
	pop	%rbx
	ret
	.size	handshake_call, . - handshake_call

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
