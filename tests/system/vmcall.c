/* Guest program: makes one VMM call, again and again, and prints what the last one returned. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>

/*
 * No libc: the guest has none. vmcall NAME RBX RCX RDX TIMES. Prints "RAX RCX RDX" in decimal;
 * status 1 when there is no such call. VMMCALL is defined where the CPU has that one.
 */
#ifdef VMMCALL
#define CALL "vmmcall"
#else
#define CALL "vmcall"
#endif

__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static long sys(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	while (*s)
		v = v * 10 + (uint64_t)(*s++ - '0');
	return v;
}

static void say(uint64_t v, char end)
{
	char text[24];
	int i = 23;

	text[23] = end;
	do {
		text[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	sys(1, 1, (long)(text + i), 24 - i);
}

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	char **argv = (char **)(stack + 1);
	uint64_t call = 0, a = 0, c = 0, d = 0, name = (uint64_t)argv[1];

	__asm__ volatile(CALL : "+a"(call) : "b"(name), "c"(0) : "memory");
	if (call == 0)
		sys(231, 1, 0, 0);
	for (uint64_t n = number(argv[5]); n > 0; n--) {
		a = call;
		c = number(argv[3]);
		d = number(argv[4]);
		__asm__ volatile(CALL
				 : "+a"(a), "+c"(c), "+d"(d)
				 : "b"(number(argv[2]))
				 : "memory");
	}
	say(a, ' ');
	say(c, ' ');
	say(d, '\n');
	sys(231, 0, 0, 0);
}
