/* The micro-kernel's image inside of the UEFI program. */
/* SPDX-License-Identifier: BSD-3-Clause */
	.section .data
	.globl	guest_image, guest_image_end
	.balign	16
guest_image:
	.incbin	"build/guest.bin"
guest_image_end:

	.section .note.GNU-stack, "", @progbits
