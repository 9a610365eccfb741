/* Programs for the Linux guest, which has no libc: system calls and output. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include <sys/syscall.h>

static long sys(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#define SYS(n, ...) SYS_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(n, a, b, c, d, e, f, ...)                                                             \
	sys(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static __attribute__((unused)) void say(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	SYS(SYS_write, 1, s, n);
}

static __attribute__((unused)) void say_number(uint64_t v, unsigned base)
{
	char text[24];
	int i = 23;

	text[23] = 0;
	do {
		text[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	say(text + i);
}

static _Noreturn void leave(int status)
{
	SYS(SYS_exit_group, status);
	for (;;)
		;
}
