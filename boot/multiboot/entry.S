/* Entry from a Multiboot 1 or 2 boot loader (32-bit protected mode), and the headers it looks for. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/boot_tables.inc"

#define PHYS  0x200000
#define PA(x) ((x) - VIRT + PHYS)

#define MB1_MAGIC	0x1badb002
#define MB1_FLAGS	0x00010007	/* page-aligned modules, memory map, video mode and load addresses below */
#define MB2_MAGIC	0xe85250d6

	.section .head, "ax", @progbits
/* struct boot_image: what loadvmm.efi checks */
	.quad	0x31303056424d4956
	.quad	uefi_entry - VIRT
	.quad	image_end - VIRT
	.long	section_pci_driver_start - VIRT
	.long	section_pci_driver_end - VIRT

	.balign	8
mb1_header:
	.long	MB1_MAGIC
	.long	MB1_FLAGS
	.long	-(MB1_MAGIC + MB1_FLAGS)
	.long	PA(mb1_header)
	.long	PHYS			/* load_addr: first byte of the image */
	.long	PA(image_file_end)
	.long	PA(image_end)
	.long	PA(multiboot_entry)
	/* Text; where there is none, as on EFI machines, GRUB gives a frame buffer instead (for a message). */
	.long	1, 80, 25, 0

	.balign	8
mb2_header:
	.long	MB2_MAGIC
	.long	0			/* i386 */
	.long	mb2_header_end - mb2_header
	.long	-(MB2_MAGIC + (mb2_header_end - mb2_header))
	.balign	8
	.short	2, 0			/* address tag */
	.long	24
	.long	PA(mb2_header)
	.long	PHYS
	.long	PA(image_file_end)
	.long	PA(image_end)
	.balign	8
	.short	3, 0			/* entry tag */
	.long	12
	.long	PA(multiboot_entry)
	.balign	8
	.short	6, 0			/* modules page aligned */
	.long	8
	/*
	 * Version 2 gives a frame buffer only to whom it would give one on a BIOS machine, too, instead of
	 * text. So on an EFI machine the firmware's console is used; other machines need not know these two.
	 */
	.balign	8
	.short	7, 1			/* leave boot services on */
	.long	8
	.balign	8
	.short	9, 1			/* entry tag for 64-bit EFI */
	.long	12
	.long	PA(multiboot_efi_entry)
	.balign	8
	.short	0, 0
	.long	8
mb2_header_end:

	.section .boot.text, "ax", @progbits
	.code32
	.globl	multiboot_entry
multiboot_entry:
	cli
	cld
	movl	%eax, %esi		/* magic */
	movl	%ebx, %edi		/* information */
	movl	$PA(boot_stack_top), %esp
	/* long mode? CPUID 80000001 EDX bit 29 */
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	btl	$29, %edx
	jnc	no_long_mode
	movl	%edx, %ebp
	/* identity map of 4 GiB in 2 MiB pages */
	fill_pd32 PA(boot_pd_low), 0, 2048
	movl	$PA(boot_pd_low) + 3, PA(boot_pdpt_low)
	movl	$PA(boot_pd_low) + 0x1003, PA(boot_pdpt_low) + 8
	movl	$PA(boot_pd_low) + 0x2003, PA(boot_pdpt_low) + 16
	movl	$PA(boot_pd_low) + 0x3003, PA(boot_pdpt_low) + 24
	movl	$PA(boot_pdpt_low) + 3, PA(boot_pml4)
	/* the image at VIRT: as much as 1 GiB behind its first byte */
	fill_pd32 PA(boot_pd_high), PHYS, 512
	movl	$PA(boot_pd_high) + 3, PA(boot_pdpt_high) + 510 * 8
	movl	$PA(boot_pdpt_high) + 3, PA(boot_pml4) + 511 * 8
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$PA(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: LME, and NXE where there is NX */
	rdmsr
	orl	$0x100, %eax
	btl	$20, %ebp
	jnc	1f
	orl	$0x800, %eax
1:	wrmsr
	movl	%cr0, %eax
	orl	$0x80010001, %eax	/* PG, WP, PE */
	andl	$0x9fffffff, %eax	/* CD, NW off */
	movl	%eax, %cr0
	lgdt	PA(boot_gdtr)
	ljmp	$8, $PA(1f)
	.code64
1:	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	xorl	%eax, %eax
	movw	%ax, %fs
	movw	%ax, %gs
	movq	$1f, %rax
	jmp	*%rax
1:	movq	$boot_stack_top, %rsp
	lgdt	boot_gdtr_high
	xorl	%ebp, %ebp
	movl	%esi, %eax
	movl	%edi, %esi
	movl	%eax, %edi
	call	multiboot_main
	ud2

/*
 * Multiboot 2 on a 64-bit EFI machine: boot services, the firmware's tables and stack, RBX = information.
 * Nothing is started from here; this tells the user what to do instead. UEFI 2.10: sections 4.3 (system
 * table), 12.3 and 12.4 (input, output), 7.4 (Stall), 8.5.1 (ResetSystem).
 */
	.code64
multiboot_efi_entry:
	cld
	andq	$~15, %rsp
	subq	$48, %rsp		/* 32 bytes belong to the called function */
	movl	%ebx, %ebx
	addq	$8, %rbx
1:	movl	(%rbx), %eax
	cmpl	$12, %eax		/* the system table's address */
	je	2f
	testl	%eax, %eax
	jz	9f
	movl	4(%rbx), %eax
	addq	$7, %rax
	andq	$~7, %rax
	addq	%rax, %rbx
	jmp	1b
2:	movq	8(%rbx), %rbx
	leaq	efi_text(%rip), %rsi
3:	lodsb
	testb	%al, %al
	jz	4f
	movzbl	%al, %eax
	movl	%eax, 40(%rsp)		/* a string of one UCS-2 character */
	movq	64(%rbx), %rcx		/* ConOut */
	leaq	40(%rsp), %rdx
	call	*8(%rcx)		/* OutputString; RSI and RBX are kept in the Microsoft ABI */
	jmp	3b
4:	movq	48(%rbx), %rcx		/* ConIn */
	leaq	40(%rsp), %rdx
	movl	$0, 40(%rsp)
	call	*8(%rcx)		/* ReadKeyStroke */
	cmpw	$'r', 42(%rsp)
	je	5f
	movq	96(%rbx), %rax		/* boot services */
	movl	$10000, %ecx
	call	*248(%rax)		/* Stall */
	jmp	4b
5:	movq	88(%rbx), %rax		/* runtime services */
	xorl	%ecx, %ecx		/* EfiResetCold */
	xorl	%edx, %edx
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	call	*104(%rax)		/* ResetSystem */
9:	cli
	hlt
	jmp	9b

	.code32
no_long_mode:
	movl	$PA(no_long_mode_text), %esi
	movl	$0xb8000, %edi
	movb	$0x4f, %ah
1:	lodsb
	testb	%al, %al
	jz	2f
	stosw
	jmp	1b
2:	hlt
	jmp	2b

/*
 * void multiboot_relocate(uint64_t dst_phys, uint64_t size): copy the image to its final place and go on
 * there. Nothing is pushed between the copy and the switch, so the copied stack is the current one.
 * The virtual addresses stay; only boot_pd_high, in the copy, is made to point at the new place.
 */
	.code64
	.globl	multiboot_relocate
multiboot_relocate:
	movq	%rsi, %rcx
	movq	%rdi, %r8
	movq	$PHYS, %rsi
	shrq	$3, %rcx
	rep movsq
	/* new tables, addressed through the identity map */
	map_image %r8
	leaq	boot_pd_low - VIRT + 3(%r8), %rax
	leaq	boot_pdpt_low - VIRT(%r8), %rdi
	movl	$4, %ecx
1:	movq	%rax, (%rdi)
	addq	$0x1000, %rax
	addq	$8, %rdi
	loop	1b
	leaq	boot_pdpt_low - VIRT + 3(%r8), %rax
	movq	%rax, boot_pml4 - VIRT(%r8)
	leaq	boot_pml4 - VIRT(%r8), %rax
	movq	%rax, %cr3
	ret

/* Here, since the code above runs at physical addresses and reaches only what is near. */
	.section .boot.text
efi_text:
	.asciz	"\r\nBitVisor is not started: this is an EFI machine. Start loadvmm.efi instead (chainloader). Press r to reboot.\r\n"

	.section .rodata
no_long_mode_text:
	.asciz	"BitVisor: not started: this CPU has no 64-bit mode. Switch the PC off and remove the boot medium."
	.balign	8
	.globl	boot_gdt
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x08: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x10: data */
boot_gdt_end:
boot_gdtr:
	.short	boot_gdt_end - boot_gdt - 1
	.long	PA(boot_gdt)
	.long	0
boot_gdtr_high:
	.short	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt

	.section .bss.page_aligned, "aw", @nobits
	.balign	4096
	.globl	boot_pml4
	.globl	boot_pdpt_high
	.globl	boot_pd_high
boot_pml4:	.skip	4096
boot_pdpt_low:	.skip	4096
boot_pd_low:	.skip	4 * 4096
boot_pdpt_high:	.skip	4096
boot_pd_high:	.skip	4096
	.skip	32768
	.globl	boot_stack_top
boot_stack_top:
