/* Guest program: work that makes exits under other hypervisors. storm WHAT COUNT [FILE]. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "guestprogram.h"

#define PIECE     65536
#define O_DIRECT_ 040000
#define MIB       (1L << 20)

static char piece[PIECE] __attribute__((aligned(4096)));
static const char *self;

/* COUNT times to another process and back, over pipes. */
static int switches(uint64_t count)
{
	int there[2], back[2];
	char c = 0;

	SYS(SYS_pipe, there);
	SYS(SYS_pipe, back);
	if (SYS(SYS_fork) == 0) {
		while (count-- && SYS(SYS_read, there[0], &c, 1) == 1)
			SYS(SYS_write, back[1], &c, 1);
		leave(0);
	}
	while (count--) {
		if (SYS(SYS_write, there[1], &c, 1) != 1 || SYS(SYS_read, back[0], &c, 1) != 1)
			return 1;
	}
	return 0;
}

/* COUNT sleeps of 100 us. */
static int timers(uint64_t count)
{
	const struct {
		long s, ns;
	} time = {0, 100000};

	while (count--) {
		if (SYS(SYS_nanosleep, &time, 0) != 0)
			return 1;
	}
	return 0;
}

/* COUNT processes that start this program anew. */
static int processes(uint64_t count)
{
	static const char *argv[] = {"storm", "nothing", "0", 0}, *envp[] = {0};
	int status;

	while (count--) {
		if (SYS(SYS_fork) == 0) {
			SYS(SYS_execve, self, argv, envp);
			leave(2);
		}
		if (SYS(SYS_wait4, -1, &status, 0, 0) < 0 || status)
			return 1;
	}
	return 0;
}

/* COUNT MiB of FILE past the page cache, from its start again at its end. */
static int reads(uint64_t count, const char *path)
{
	long file = SYS(SYS_open, path, O_DIRECT_), left = (long)count * MIB, n;

	if (file < 0)
		return 1;
	while (left > 0) {
		n = SYS(SYS_read, file, piece, PIECE);
		if (n < 0)
			return 1;
		if (n < PIECE)
			SYS(SYS_lseek, file, 0, 0);
		left -= n;
	}
	return 0;
}

__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	char **argv = (char **)(stack + 1);
	uint64_t count = 0;

	self = argv[0];
	for (const char *s = argv[2]; *s; s++)
		count = count * 10 + (uint64_t)(*s - '0');
	switch (argv[1][0]) {
	case 's':
		leave(switches(count));
	case 't':
		leave(timers(count));
	case 'p':
		leave(processes(count));
	case 'r':
		leave(reads(count, argv[3]));
	default:
		leave(0);
	}
}
