/* Guest program: accesses to I/O ports and physical memory, as the command line says. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include "guestprogram.h"

/*
 * Words: iSIZE:PORT, oSIZE:PORT:VALUE, rSIZE:ADDRESS, wSIZE:ADDRESS:VALUE; sizes 1, 2, 4, 8
 * (memory), numbers hexadecimal; xCOUNT repeats the word behind it. Each read prints its value on a
 * line; an error ends the program with "bad word".
 */
#define PAGE 0x1000ul

__asm__(".globl _start\n"
	"_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static uint64_t number(const char **at, unsigned base)
{
	uint64_t v = 0;

	for (;; ++*at) {
		char c = **at;
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							: 99;

		if (digit >= base)
			return v;
		v = v * base + digit;
	}
}

static void bad(const char *word)
{
	say("bad word ");
	say(word);
	say("\n");
	leave(1);
}

static uint64_t port(char op, unsigned size, uint16_t at, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	if (op == 'i' && size == 1)
		__asm__ volatile("xor %0, %0; inb %1, %b0" : "=a"(v) : "d"(at));
	else if (op == 'i' && size == 2)
		__asm__ volatile("xor %0, %0; inw %1, %w0" : "=a"(v) : "d"(at));
	else if (op == 'i')
		__asm__ volatile("inl %1, %0" : "=a"(v) : "d"(at));
	else if (size == 1)
		__asm__ volatile("outb %b0, %1" : : "a"(v), "d"(at));
	else if (size == 2)
		__asm__ volatile("outw %w0, %1" : : "a"(v), "d"(at));
	else
		__asm__ volatile("outl %0, %1" : : "a"(v), "d"(at));
	return v;
}

/* Uncached; but what the kernel has cached it lets nobody map otherwise. */
static char *map(int fd, uint64_t at)
{
	long p = SYS(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)at);

	if (p < 0 && p > -4096) {
		fd = (int)SYS(SYS_open, "/dev/mem", O_RDWR);
		p = SYS(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)at);
	}
	if (p < 0 && p > -4096)
		bad("(mmap)");
	return (char *)p;
}

static uint64_t memory(int fd, char op, unsigned size, uint64_t at, uint64_t value)
{
	static uint64_t mapped = 1;
	static char *p;
	uint64_t v = 0;

	if (mapped != (at & ~(PAGE - 1))) {
		mapped = at & ~(PAGE - 1);
		p = map(fd, mapped);
	}
	char *a = p + (at & (PAGE - 1));

	/* these instructions and no others, however they are aligned */
	if (op == 'r' && size == 1)
		__asm__ volatile("movzbl %1, %k0" : "=r"(v) : "m"(*a));
	else if (op == 'r' && size == 2)
		__asm__ volatile("movzwl %1, %k0" : "=r"(v) : "m"(*(uint16_t *)(void *)a));
	else if (op == 'r' && size == 4)
		__asm__ volatile("movl %1, %k0" : "=r"(v) : "m"(*(uint32_t *)(void *)a));
	else if (op == 'r')
		__asm__ volatile("movq %1, %0" : "=r"(v) : "m"(*(uint64_t *)(void *)a));
	else if (size == 1)
		__asm__ volatile("movb %b1, %0" : "=m"(*a) : "q"(value));
	else if (size == 2)
		__asm__ volatile("movw %w1, %0" : "=m"(*(uint16_t *)(void *)a) : "r"(value));
	else if (size == 4)
		__asm__ volatile("movl %k1, %0" : "=m"(*(uint32_t *)(void *)a) : "r"(value));
	else
		__asm__ volatile("movq %1, %0" : "=m"(*(uint64_t *)(void *)a) : "r"(value));
	return v;
}

__attribute__((used)) void program(const long *stack)
{
	char **argv = (char **)(stack + 1);
	int fd = (int)SYS(SYS_open, "/dev/mem", O_RDWR | O_SYNC);
	uint64_t times = 1;

	if (SYS(SYS_iopl, 3) != 0 || fd < 0)
		bad("(not root)");
	for (int i = 1; i < stack[0]; i++) {
		const char *w = argv[i];
		char op = *w++;
		uint64_t value = 0, at, got = 0;

		if (op == 'x') {
			times = number(&w, 10);
			continue;
		}
		unsigned size = (unsigned)number(&w, 10);

		if (*w++ != ':' || (size != 1 && size != 2 && size != 4 && size != 8))
			bad(argv[i]);
		at = number(&w, 16);
		if (*w == ':') {
			w++;
			value = number(&w, 16);
		}
		if (*w)
			bad(argv[i]);
		for (; times > 0; times--) {
			if (op == 'i' || op == 'o')
				got = port(op, size, (uint16_t)at, value);
			else if (op == 'r' || op == 'w')
				got = memory(fd, op, size, at, value);
			else
				bad(argv[i]);
		}
		times = 1;
		if (op == 'i' || op == 'r') {
			say_number(got, 16);
			say("\n");
		}
	}
	leave(0);
}
