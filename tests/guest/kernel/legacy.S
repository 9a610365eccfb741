/* Out of 64-bit mode, into a snippet of a mode without it, and back at its first exception or interrupt. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/stubs.inc"

/* struct legacy_cpu in legacy.c, at a place below 64 KiB that real mode reaches too */
#define L	0x7000
#define L_EAX	(L + 0)
#define L_ECX	(L + 4)
#define L_EDX	(L + 8)
#define L_EBX	(L + 12)
#define L_EBP	(L + 16)
#define L_ESI	(L + 20)
#define L_EDI	(L + 24)
#define L_ESP	(L + 28)
#define L_SS	(L + 32)
#define L_EFLAGS (L + 36)
#define L_EIP	(L + 40)
#define L_CS	(L + 44)
#define L_VECTOR (L + 48)
#define L_ERROR	(L + 52)
#define L_CR2	(L + 56)
#define L_DR6	(L + 60)
#define L_CR0	(L + 64)	/* to be set for the snippet, CR3 and CR4 too */
#define L_CR3	(L + 68)
#define L_CR4	(L + 72)
#define L_MODE	(L + 76)	/* 0: protected, CPL 0; 1: V86; 2: real; 3: protected, CPL 3 */
#define L_RSP64	(L + 80)
#define L_CR3_64 (L + 88)
#define L_CR4_64 (L + 96)
#define L_GDT32	(L + 104)	/* pointers of LGDT, LIDT: 8 bytes each */
#define L_IDT32	(L + 112)
#define L_IVT	(L + 120)
#define L_GDT64	(L + 128)	/* 10 bytes */
#define L_IDT64	(L + 144)
#define L_STACK	0x7000		/* of the handlers, and of the ways between modes */

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
/* of the table for these modes: code and data of 16 bits besides */
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28

/* The general registers but ESP; DS is flat, or 0. */
	.macro	load_registers
	movl	L_EAX, %eax
	movl	L_ECX, %ecx
	movl	L_EDX, %edx
	movl	L_EBX, %ebx
	movl	L_EBP, %ebp
	movl	L_ESI, %esi
	movl	L_EDI, %edi
	.endm
	.macro	save_registers
	movl	%eax, L_EAX
	movl	%ecx, L_ECX
	movl	%edx, L_EDX
	movl	%ebx, L_EBX
	movl	%ebp, L_EBP
	movl	%esi, L_ESI
	movl	%edi, L_EDI
	.endm

/* void legacy_enter(void): what goes in and comes out is in struct legacy_cpu. */
	.text
	.code64
	.globl	legacy_enter
legacy_enter:
	push_saved
	movq	%rsp, L_RSP64
	movq	%cr3, %rax
	movq	%rax, L_CR3_64
	movq	%cr4, %rax
	movq	%rax, L_CR4_64
	sgdt	L_GDT64
	sidt	L_IDT64
	movl	$L_STACK, %esp
	pushq	$SEL_CODE32
	pushq	$legacy_down
	lretq

	.code32
legacy_down:
	lgdtl	L_GDT32
	lidtl	L_IDT32
	movl	$SEL_DATA, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%cr0, %eax
	andl	$0x7fffffff, %eax	/* PG: leaves long mode */
	movl	%eax, %cr0
	movl	$0xc0000080, %ecx
	rdmsr
	andl	$~0x100, %eax		/* LME */
	wrmsr
	movl	L_CR4, %eax
	movl	%eax, %cr4
	movl	L_CR3, %eax
	movl	%eax, %cr3
	cmpl	$2, L_MODE
	je	to_real
	movl	L_CR0, %eax
	movl	%eax, %cr0
	jmp	1f
1:	movl	$0x30, %eax
	ltr	%ax
	cmpl	$1, L_MODE
	je	to_v86
	ja	to_user
	movw	L_SS, %ss
	movl	L_ESP, %esp
	jmp	1f
to_user:
	pushl	L_SS
	pushl	L_ESP
1:	pushl	L_EFLAGS
	pushl	L_CS
	pushl	L_EIP
	load_registers
	pushl	L_SS			/* not null behind IRET, as DS of another ring would be */
	popl	%es
	pushl	%es
	popl	%ds
	iretl
to_v86:
	pushl	$0			/* GS, FS, DS, ES */
	pushl	$0
	pushl	L_SS
	pushl	L_SS
	pushl	L_SS
	pushl	L_ESP
	pushl	L_EFLAGS
	pushl	L_CS
	pushl	L_EIP
	load_registers
	iretl

to_real:
	lidtl	L_IVT
	ljmpl	$SEL_CODE16, $real_page	/* the copy of real_start at REAL_PAGE */

/* The stubs of protected mode: 16 bytes each. */
	.globl	legacy_stubs
	.balign	16
legacy_stubs:
	vector_stubs "pushl $0", legacy_trap

/* Stack: vector, error, EIP, CS, EFLAGS; from another ring ESP, SS too. DS is flat, or 0 from V86. */
legacy_trap:
	pushl	%ds
	pushl	$SEL_DATA
	popl	%ds
	save_registers
	popl	%eax
	popl	L_VECTOR
	popl	L_ERROR
	popl	L_EIP
	popl	L_CS
	popl	L_EFLAGS
	testl	$1, L_MODE
	jnz	1f
	movl	%esp, L_ESP
	movl	%ss, %eax
	movl	%eax, L_SS
	jmp	2f
1:	popl	L_ESP
	popl	L_SS
2:	movl	%cr2, %eax
	movl	%eax, L_CR2
	movl	%dr6, %eax
	movl	%eax, L_DR6
	/* CR0.PG off: all of this lies where physical addresses are the same */
	movl	%cr0, %eax
	movl	%eax, L_CR0
	andl	$0x7fffffff, %eax
	movl	%eax, %cr0
legacy_up:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$L_STACK, %esp
	movl	L_CR4_64, %eax
	movl	%eax, %cr4
	movl	L_CR3_64, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	$0x80010031, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $1f
	.code64
1:	lgdt	L_GDT64
	lidt	L_IDT64
	movl	$0x33, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	$SEL_DATA, %eax
	movl	%eax, %ss
	movq	L_RSP64, %rsp
	pop_saved
	ret

/*
 * Real mode: copied to REAL_PAGE, segment 0. The stubs of the interrupt vectors are behind it.
 */
	.set	real_page, 0x6000
#define R(x)	(real_page + (x) - real_start)
	.section .rodata
	.globl	real_start, real_stubs, real_end
	.code16
	.balign	16
real_start:
	movw	$SEL_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	L_CR0, %eax
	movl	%eax, %cr0
	ljmp	$0, $R(1f)
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %fs
	movw	%ax, %gs
	movw	L_SS, %ax
	movw	%ax, %ss
	movw	%ax, %es
	movl	L_ESP, %esp
	pushw	L_EFLAGS
	pushw	L_CS
	pushw	L_EIP
	load_registers
	pushw	L_SS
	popw	%ds
	iretw

real_trap:
	pushw	%ds
	pushw	$0
	popw	%ds
	save_registers
	popw	%ax
	popw	L_VECTOR
	popw	L_EIP
	popw	L_CS
	popw	L_EFLAGS
	movl	%esp, L_ESP
	movw	%ss, L_SS
	movl	%dr6, %eax
	movl	%eax, L_DR6
	movl	%cr0, %eax
	movl	%eax, L_CR0
	lgdtl	L_GDT32
	movl	$0x11, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $legacy_up

real_stubs:
	.set	i, 0
	.rept	256
	.byte	0x68			/* pushw */
	.word	i
	jmp	real_trap
	.balign	8
	.set	i, i + 1
	.endr
real_end:
