/* Guest program: transfers of one size to or from a device, with a mark before and behind each. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "guestprogram.h"

/*
 * transfer read FILE BYTES COUNT, or send|fetch PORT BYTES COUNT (TCP, 10.0.2.2), or cpuid 0 0
 * COUNT: an exit that does next to nothing. Prints the nanoseconds that COUNT transfers took. The
 * first WARM are not among them.
 */

#define O_DIRECT_ 040000
#define WARM      8
#define MOST      131072

static char piece[MOST] __attribute__((aligned(4096)));

/* tools/qemuexits.c counts at this instruction. */
static inline void mark(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x4d, 0x41, 0x52, 0x4b" : : : "memory");
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	for (; *s; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

static uint64_t now(void)
{
	struct {
		long s, ns;
	} time;

	SYS(SYS_clock_gettime, 1, &time); /* monotonic */
	return (uint64_t)time.s * 1000000000 + (uint64_t)time.ns;
}

static long connected(uint64_t port)
{
	/* sockaddr_in: family, port and address in network order */
	const struct {
		uint16_t family, port;
		uint8_t address[4], zero[8];
	} to = {2, (uint16_t)(port >> 8 | port << 8), {10, 0, 2, 2}, {0}};
	long file = SYS(SYS_socket, 2, 1, 0);

	return file < 0 || SYS(SYS_connect, file, &to, sizeof(to)) < 0 ? -1 : file;
}

/* All of it: a socket gives and takes parts, and a file begins again at its end. 0, or 1. */
static int transfer(char what, long file, uint64_t size)
{
	if (what == 'c') {
		uint32_t leaf = 0;

		__asm__ volatile("cpuid" : "+a"(leaf) : : "rbx", "rcx", "rdx");
	}
	for (uint64_t done = 0; done < size;) {
		long n = what == 's' ? SYS(SYS_write, file, piece + done, size - done)
				     : SYS(SYS_read, file, piece + done, size - done);

		if (n < 0 || (n == 0 && (what != 'r' || SYS(SYS_lseek, file, 0, 0) < 0)))
			return 1;
		done += (uint64_t)n;
	}
	return 0;
}

__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	char **argv = (char **)(stack + 1), what = argv[1][0];
	uint64_t size = number(argv[3]), count = number(argv[4]), begun = 0;
	long file = what == 'c'   ? 0
		    : what == 'r' ? SYS(SYS_open, argv[2], O_DIRECT_)
				  : connected(number(argv[2]));

	if (file < 0 || size > MOST)
		leave(1);
	for (uint64_t i = 0; i < WARM + count; i++) {
		if (i == WARM) {
			begun = now();
			mark();
		}
		if (transfer(what, file, size))
			leave(2);
		if (i >= WARM)
			mark();
	}
	say_number(now() - begun, 10);
	say("\n");
	leave(0);
}
