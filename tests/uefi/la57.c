/* Turns 5-level paging on, as firmware of machines with much memory has it; for one CPU. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <efi.h>
#include <efilib.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
void __attribute__((sysv_abi)) la57_on(UINT64 pml5);

/*
 * CR4.LA57 can change only while paging is off (SDM 3A 4.1.1), so this goes through 32-bit code.
 * All addresses are below 4 GiB.
 */
__asm__("la57_on:\n"
	"	pushfq\n"
	"	cli\n"
	"	push	%rbx\n"
	"	sub	$16, %rsp\n"
	"	sgdt	(%rsp)\n"
	"	mov	%cs, %ebx\n"
	"	sub	$16, %rsp\n"
	"	movw	$gdt_end - gdt - 1, (%rsp)\n"
	"	lea	gdt(%rip), %rax\n"
	"	mov	%rax, 2(%rsp)\n"
	"	lgdt	(%rsp)\n"
	"	add	$16, %rsp\n"
	"	lea	2f(%rip), %rsi\n"
	"	lea	1f(%rip), %rax\n"
	"	pushq	$8\n"
	"	push	%rax\n"
	"	lretq\n"
	"	.code32\n"
	"1:	mov	%cr0, %ecx\n"
	"	mov	%ecx, %eax\n"
	"	and	$0x7fffffff, %eax\n"
	"	mov	%eax, %cr0\n"
	"	mov	%cr4, %eax\n"
	"	or	$0x1000, %eax\n"
	"	mov	%eax, %cr4\n"
	"	mov	%edi, %cr3\n"
	"	mov	%ecx, %cr0\n"
	"	push	$16\n"
	"	push	%esi\n"
	"	lret\n"
	"	.code64\n"
	"2:	mov	%esp, %esp\n"
	"	lgdt	(%rsp)\n"
	"	lea	3f(%rip), %rax\n"
	"	push	%rbx\n"
	"	push	%rax\n"
	"	lretq\n"
	"3:	add	$16, %rsp\n"
	"	pop	%rbx\n"
	"	popfq\n"
	"	ret\n"
	"	.balign	8\n"
	"gdt:	.quad	0\n"
	"	.quad	0x00cf9b000000ffff\n" /* 32-bit code */
	"	.quad	0x00af9b000000ffff\n" /* 64-bit code */
	"gdt_end:\n");

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_PHYSICAL_ADDRESS page = 0xffffffff;
	UINT64 cr3;
	InitializeLib(image, table);
	EFI_STATUS s = BS->AllocatePages(AllocateMaxAddress, EfiBootServicesData, 1, &page);
	if (EFI_ERROR(s))
		return s;
	ZeroMem((void *)page, 4096);
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	*(UINT64 *)page = (cr3 & ~(UINT64)0xfff) | 7;
	la57_on(page);
	return EFI_SUCCESS;
}
