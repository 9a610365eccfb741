/* The guest's first code on a BIOS machine, and the BIOS hooks that stay: real mode, one segment. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.section .rodata
	.code16
	.globl	realmode_stub
	.globl	realmode_stub_end
	.globl	realmode_data
#define S(x) ((x) - realmode_stub)

#define E820_ENTRY	24
#define SMAP		0x534d4150
#define SECTOR_AT	0x7c00
#define MBR_AT		0x600
#define CD_BUFFER	0x8000		/* one CD sector, free while the boot sector is looked for */

	.balign	16
realmode_stub:
	jmp	start

	.balign	8
/* struct realmode_data in realmode.c */
realmode_data:
map_count:	.word	0
e801_ax:	.word	0
e801_bx:	.word	0
h88_ax:		.word	0
load_drive:	.byte	0		/* the medium of the VMM; 0xff: unknown */
boot_drive:	.byte	0		/* vmm.boot_drive; 0: choose */
boot_active:	.byte	0
swap_drive:	.byte	0		/* BIOS number that the guest sees as 0x80; 0: none */
old_int13:	.long	0
old_int15:	.long	0
map_offset:	.word	0

start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$0x1000, %sp
	movw	%ax, %es
	/* the memory map: INT 15h */
	movl	%es:0x15 * 4, %eax
	movl	%eax, S(old_int15)
	movw	$S(int15), %es:0x15 * 4
	movw	%cs, %es:0x15 * 4 + 2
	sti
	movw	$0x0003, %ax
	int	$0x10
	/* which drive */
	movb	S(boot_drive), %dl
	testb	%dl, %dl
	jnz	3f
	movb	$0x80, %dl
1:	cmpb	S(load_drive), %dl
	je	2f
	call	drive_present
	jnc	3f
2:	incb	%dl
	cmpb	$0x90, %dl
	jb	1b
	movb	S(load_drive), %dl	/* no other disk: its own */
	cmpb	$0xff, %dl
	jne	3f
	movw	$S(text_no_disk), %si
	jmp	fail
3:	movb	%dl, S(drive)
	call	is_cd
	jnc	boot_cd
	call	drive_present
	movw	$S(text_not_there), %si
	jc	fail
	cmpb	$0x80, %dl
	jbe	4f
	/* the guest's boot disk is 0x80: exchange the numbers; CDs and floppy disks keep theirs */
	movb	%dl, S(swap_drive)
	cli
	movl	%es:0x13 * 4, %eax
	movl	%eax, S(old_int13)
	movw	$S(int13), %es:0x13 * 4
	movw	%cs, %es:0x13 * 4 + 2
	sti
	movb	$0x80, %dl
4:	xorl	%ebx, %ebx		/* LBA */
	movw	$1, %cx			/* cylinder 0, sector 1 */
	movb	$0, %dh			/* head 0 */
	call	read_sector
	jc	read_error
	movw	$S(text_no_sector), %si
	cmpb	$0, S(boot_active)
	je	6f
	/* the active partition's boot sector; it finds its partition's entry at DS:SI, where an MBR would have it */
	movw	$SECTOR_AT, %si
	movw	$MBR_AT, %di
	movw	$128, %cx
	pushw	%ds
	pushw	%es
	popw	%ds
	rep movsl
	popw	%ds
	movw	$MBR_AT + 0x1be, %di
	movw	$4, %cx
	movw	$S(text_no_active), %si
	cmpw	$0xaa55, %es:MBR_AT + 510
	jne	fail
5:	cmpb	$0x80, %es:(%di)
	je	7f
	addw	$16, %di
	loop	5b
	jmp	fail
7:	movb	%es:1(%di), %dh
	movw	%es:2(%di), %cx
	movl	%es:8(%di), %ebx
	call	read_sector
	jc	read_error
	movw	$S(text_no_active_sector), %si
6:	cmpw	$0xaa55, %es:SECTOR_AT + 510
	jne	fail
	movw	%di, %si
	xorw	%ax, %ax
	movw	%ax, %ds
	ljmp	$0, $SECTOR_AT

/* El Torito: the boot record volume descriptor in sector 17 points at the catalogue. */
boot_cd:
	movl	$17, %ebx
	call	read_cd
	jc	read_error
	movw	$S(text_no_image), %si
	cmpl	$0x54204c45, %es:CD_BUFFER + 7		/* "EL T" */
	jne	fail
	movl	%es:CD_BUFFER + 0x47, %ebx
	call	read_cd
	jc	read_error
	/* validation entry for an 80x86, initial entry that boots without emulation */
	cmpw	$0x0001, %es:CD_BUFFER
	jne	fail
	cmpb	$0x88, %es:CD_BUFFER + 0x20
	jne	fail
	testb	$0x0f, %es:CD_BUFFER + 0x21
	jnz	fail
	movw	%es:CD_BUFFER + 0x22, %ax		/* segment */
	testw	%ax, %ax
	jnz	1f
	movw	$0x7c0, %ax
1:	movw	%ax, %bp
	movzwl	%es:CD_BUFFER + 0x26, %ecx		/* sectors of 512 bytes */
	movl	%es:CD_BUFFER + 0x28, %ebx
	addl	$3, %ecx
	shrl	$2, %ecx
	jz	fail
	movw	%bp, %di
2:	movw	%di, S(packet_segment)
	movw	$0, S(packet_offset)
	call	read_packet
	jc	read_error
	addw	$0x80, %di
	incl	%ebx
	decw	%cx
	jnz	2b
	xorw	%ax, %ax
	movw	%ax, %ds
	pushw	%bp
	pushw	%ax
	lretw

/* CF = 0 when DL is a CD: the BIOS tells of the one it started from, others have high numbers */
is_cd:
	pushaw
	pushw	%es
	movw	%ds, %ax
	movw	%ax, %es
	movb	%dl, S(status_drive)
	notb	S(status_drive)			/* for a BIOS that knows nothing of this call */
	movw	$S(status), %si
	movw	$0x4b01, %ax
	int	$0x13
	popw	%es
	popaw
	jc	1f
	cmpb	%dl, S(status_drive)
	jne	1f
	testb	$0x0f, S(status_media)		/* not 0: it plays a disk */
	jz	2f
	stc
	ret
1:	cmpb	$0x90, %dl			/* CF = 1 when below */
2:	ret

/* CF = 0 when hard disk DL is there */
drive_present:
	pushaw
	pushw	%es
	movb	$0x41, %ah
	movw	$0x55aa, %bx
	int	$0x13
	jnc	1f
	popw	%es
	popaw
	pushaw
	pushw	%es
	movb	$0x08, %ah
	int	$0x13
1:	popw	%es
	popaw
	ret

/* Sector EBX of drive DL to 0:7c00; where the BIOS has no LBA, the same sector by CHS: CX, DH */
read_sector:
	pushaw
	movb	$0x41, %ah
	movw	$0x55aa, %bx
	int	$0x13
	popaw
	jc	1f
	movw	$0, S(packet_segment)
	movw	$SECTOR_AT, S(packet_offset)
	jmp	read_packet
1:	pushaw
	movw	$0x0201, %ax
	movw	$SECTOR_AT, %bx
	int	$0x13
	popaw
	ret

read_cd:
	movw	$0, S(packet_segment)
	movw	$CD_BUFFER, S(packet_offset)
read_packet:
	pushaw
	movl	%ebx, S(packet_lba)
	movw	$S(packet), %si
	movb	$0x42, %ah
	int	$0x13
	popaw
	ret

read_error:
	movw	$S(text_read_error), %si
/* SI: text; one that begins with a blank tells of the drive */
fail:
	movw	%cs, %ax
	movw	%ax, %ds
	movw	%si, %di
	movw	$S(text_prefix), %si
	call	print
	cmpb	$' ', (%di)
	jne	1f
	movw	$S(text_drive), %si
	call	print
	movb	S(drive), %al
	shrb	$4, %al
	call	print_digit
	movb	S(drive), %al
	call	print_digit
1:	movw	%di, %si
	call	print
	movw	$S(text_key), %si
	call	print
	movb	$0, %ah
	int	$0x16
	movw	$0, %ax
	movw	%ax, %ds
	movw	$0x1234, 0x472			/* warm boot */
	ljmp	$0xffff, $0
print:
	lodsb
	testb	%al, %al
	jz	1f
	call	print_char
	jmp	print
1:	ret
print_digit:				/* the low four bits of AL */
	andb	$0x0f, %al
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	print_char
	addb	$'a' - '9' - 1, %al
print_char:
	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	ret

/* INT 13h: drives 0x80 and swap_drive change places. Everything else, results too, is the BIOS's. */
int13:
	pushfw
	cmpb	$0x80, %dl
	je	1f
	cmpb	%cs:S(swap_drive), %dl
	je	2f
	popfw
	ljmp	*%cs:S(old_int13)
1:	movb	%cs:S(swap_drive), %dl
	movb	$0x80, %cs:S(int13_dl)
	jmp	3f
2:	movb	%dl, %cs:S(int13_dl)
	movb	$0x80, %dl
3:	cmpb	$0x08, %ah			/* returns the number of drives in DL */
	je	4f
	cmpb	$0x15, %ah			/* returns sectors in CX:DX */
	je	4f
	lcall	*%cs:S(old_int13)
	movb	%cs:S(int13_dl), %dl
	jmp	5f
4:	lcall	*%cs:S(old_int13)
5:	pushw	%bp
	movw	%sp, %bp
	pushfw
	popw	%ss:6(%bp)			/* the BIOS's flags go to the caller */
	orw	$0x200, %ss:6(%bp)
	popw	%bp
	iretw
int13_dl:	.byte	0
drive:		.byte	0		/* chosen; the BIOS's number */

/* INT 15h: the memory map without the VMM. */
int15:
	cmpw	$0xe820, %ax
	je	e820
	cmpw	$0xe801, %ax
	je	e801
	cmpb	$0x88, %ah
	je	h88
	ljmp	*%cs:S(old_int15)
e801:	movw	%cs:S(e801_ax), %ax
	movw	%cs:S(e801_bx), %bx
	movw	%ax, %cx
	movw	%bx, %dx
	jmp	int15_ok
h88:	movw	%cs:S(h88_ax), %ax
	jmp	int15_ok
e820:	cmpl	$SMAP, %edx
	jne	int15_bad
	cmpw	%cs:S(map_count), %bx
	jae	int15_bad
	cmpl	$20, %ecx
	jb	int15_bad
	pushw	%ds
	pushw	%si
	pushw	%di
	movw	%cs, %si
	movw	%si, %ds
	imulw	$E820_ENTRY, %bx, %si
	addw	S(map_offset), %si
	cmpl	$E820_ENTRY, %ecx
	movl	$E820_ENTRY, %ecx
	jae	1f
	movl	$20, %ecx
1:	pushl	%ecx
	cld
	rep movsb
	popl	%ecx
	popw	%di
	popw	%si
	movl	$SMAP, %eax
	incw	%bx
	cmpw	S(map_count), %bx
	popw	%ds
	movzwl	%bx, %ebx
	jb	int15_ok
	xorl	%ebx, %ebx
int15_ok:
	pushw	%bp
	movw	%sp, %bp
	andw	$~1, %ss:6(%bp)
	popw	%bp
	iretw
int15_bad:
	movb	$0x86, %ah
	pushw	%bp
	movw	%sp, %bp
	orw	$1, %ss:6(%bp)
	popw	%bp
	iretw

	.balign	4
packet:		.byte	16, 0
		.word	1
packet_offset:	.word	0
packet_segment:	.word	0
packet_lba:	.long	0, 0

/* INT 13h AX = 4B01h: specification packet (El Torito 1.0, figure 6) */
status:		.byte	0x13
status_media:	.byte	0
status_drive:	.byte	0
		.skip	16

text_prefix:		.asciz	"BitVisor: "
text_drive:		.asciz	"drive 0x"
text_no_disk:		.asciz	"there is no disk to boot the operating system from"
text_not_there:		.asciz	" is not there"
text_read_error:	.asciz	" cannot be read"
text_no_sector:		.asciz	" has no boot sector"
text_no_active:		.asciz	" has no active partition"
text_no_active_sector:	.asciz	" has no boot sector in its active partition"
text_no_image:		.asciz	" has no boot image that runs without emulation"
text_key:		.asciz	". Press a key to reboot.\r\n"
realmode_stub_end:
