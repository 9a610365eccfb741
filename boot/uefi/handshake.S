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
	test	%edx, %edx
	jnz	1f
	.byte	0x0f, 0x01, 0xc1
	jmp	2f
1:	.byte	0x0f, 0x01, 0xd9
2:	not	%rcx
	cmp	%rcx, %rsi
	jne	4f
	test	%eax, %eax
	jz	4f
	test	%edx, %edx
	jnz	3f
	.byte	0x0f, 0x01, 0xc1
	jmp	5f
3:	.byte	0x0f, 0x01, 0xd9
5:	mov	$1, %eax
	pop	%rbx
	ret
4:	xor	%eax, %eax
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
