/* General registers to and from an array in ModRM order, for assembly. RSP is never touched; flags
 * stay. */
/* SPDX-License-Identifier: BSD-3-Clause */
#ifdef __ASSEMBLY__
/* All but RAX and RSP, at 8 * number from the stack pointer: struct vcpu of an entering or exiting
 * CPU. */
.macro gpr_load number, name movq	\number * 8(% rsp),
    %\name.endm.macro gpr_save number, name movq %\name, \number * 8(% rsp).endm.macro gprs_do how
	\how 1, rcx
	\how 2, rdx
	\how 3, rbx
	\how 5, rbp
	\how 6, rsi
	\how 7, rdi
	\how 8, r8
	\how 9, r9
	\how 10, r10
	\how 11, r11
	\how 12, r12
	\how 13, r13
	\how 14, r14
	\how 15,
    r15.endm

	/* Onto the stack and back, all sixteen places; RSP's place holds 0. */
	.macro gprs_push.irp r,
    r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp pushq %\r.endr pushq $0.irp r, rbx, rdx, rcx
    ,
    rax pushq %\r.endr.endm.macro gprs_pop.irp r, rax, rcx, rdx, rbx popq %\r.endr leaq 8(% rsp),
    % rsp.irp r, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 popq %\r.endr.endm
#endif
