/* Guest program: prints the VMM's status text, or tries a buffer (VMM call get_status2). */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include "guestprogram.h"

/*
 * status vmcall|vmmcall [ADDRESS SIZE]. With a buffer (hexadecimal; READ-ONLY: a page that cannot
 * be written) it prints what became of it, and RCX.
 */

#define SIZE 65536

static char text[SIZE];

static uint64_t call(const char *vmm, uint64_t number, const void *rbx, uint64_t *rcx)
{
	if (vmm[2] == 'm')
		__asm__ volatile("vmmcall" : "+a"(number), "+c"(*rcx) : "b"(rbx) : "memory");
	else
		__asm__ volatile("vmcall" : "+a"(number), "+c"(*rcx) : "b"(rbx) : "memory");
	return number;
}

__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static uint64_t hex(const char *s)
{
	uint64_t v = 0;

	for (; *s; s++)
		v = v * 16 + (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return v;
}

static void try_buffer(const char *vmm, uint64_t number, const char *where, uint64_t size)
{
	/* private, anonymous, for reading */
	void *page = (void *)SYS(SYS_mmap, 0, 4096, 1, 0x22, -1, 0);
	bool is_page = where[0] == 'R';
	uint64_t rax = call(vmm, number, is_page ? page : (void *)hex(where), &size);

	say(rax == number ? "none " : rax == 0 ? "taken " : "refused ");
	say_number(size, 10);
	say(is_page && *(volatile char *)page ? " changed\n" : "\n");
	leave(0);
}

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	char **argv = (char **)(stack + 1);
	const char *vmm = argv[1];
	uint64_t size = 0, number = call(vmm, 0, "get_status2", &size);

	if (argv[2])
		try_buffer(vmm, number, argv[2], hex(argv[3]));
	size = SIZE;
	if (number == 0 || call(vmm, number, text, &size) != 0) {
		say("no status\n");
		leave(1);
	}
	SYS(SYS_write, 1, text, size);
	leave(0);
}
