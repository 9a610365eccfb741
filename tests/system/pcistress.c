/* Guest program: random accesses to the configuration space of a hidden and of a watched function.
 */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include "guestprogram.h"

/*
 * pcistress CPU SEED COUNT WINDOW HIDDEN WATCHED: CPU decimal, the others hexadecimal; WINDOW is
 * where configuration space is in memory, 0 for none; the functions are bus << 8 | device << 3 |
 * function. Several may run at the same time, and then what one writes to CF8 the other one uses
 * at CFC: it is one of the two functions in any case. Prints how many reads of the hidden function
 * gave something else than ones, and how many of each kind of access there were.
 *
 * What a base address may become is E0000000-EFFFFFFF or ones: memory and other devices are no
 * place for it. A value for ports may get to any register, so all have such an upper byte.
 */
#define PAGE 0x1000ul

__asm__(".globl _start\n"
	"_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static uint64_t random_state;

static uint64_t next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t argument(const char *at)
{
	uint64_t v = 0;

	for (; *at; at++)
		v = v * 16 + (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return v;
}

static uint32_t harmless(unsigned offset, unsigned size, uint32_t value)
{
	if (value & 1)
		return UINT32_MAX;
	/* the upper byte, in whatever size it is written */
	value &= ~(0xf0u << 8 * (size - 1));
	return (offset + size) & 3 ? value : value | 0xe0u << 8 * (size - 1);
}

static uint32_t ports(bool write, uint32_t address, unsigned size, uint32_t value)
{
	uint16_t data = (uint16_t)(0xcfc + (address & 3));

	__asm__ volatile("outl %0, %1"
			 :
			 : "a"(0x80000000 | (address & ~3u)), "Nd"((uint16_t)0xcf8));
	if (write && size == 1)
		__asm__ volatile("outb %b0, %1" : : "a"(value), "d"(data));
	else if (write && size == 2)
		__asm__ volatile("outw %w0, %1" : : "a"(value), "d"(data));
	else if (write)
		__asm__ volatile("outl %0, %1" : : "a"(value), "d"(data));
	else if (size == 1)
		__asm__ volatile("inb %1, %b0" : "=a"(value) : "d"(data), "a"(UINT32_MAX));
	else if (size == 2)
		__asm__ volatile("inw %1, %w0" : "=a"(value) : "d"(data), "a"(UINT32_MAX));
	else
		__asm__ volatile("inl %1, %0" : "=a"(value) : "d"(data));
	return value;
}

static uint32_t window(bool write, char *at, unsigned size, uint32_t value)
{
	if (write && size == 1)
		*(volatile uint8_t *)at = (uint8_t)value;
	else if (write && size == 2)
		*(volatile uint16_t *)(void *)at = (uint16_t)value;
	else if (write)
		*(volatile uint32_t *)(void *)at = value;
	else if (size == 1)
		value = 0xffffff00 | *(volatile uint8_t *)at;
	else if (size == 2)
		value = 0xffff0000 | *(volatile uint16_t *)(void *)at;
	else
		value = *(volatile uint32_t *)(void *)at;
	return value;
}

static char *map(int fd, uint64_t at)
{
	long p = SYS(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)at);

	if (p < 0 && p > -4096) {
		say("mmap failed\n");
		leave(1);
	}
	return (char *)p;
}

__attribute__((used)) void program(const long *stack)
{
	char **argv = (char **)(stack + 1);
	uint64_t count, base, wrong = 0, done[4] = {0};
	uint32_t functions[2];
	char *pages[2] = {0};
	int fd = (int)SYS(SYS_open, "/dev/mem", O_RDWR | O_SYNC);

	if (stack[0] != 7 || SYS(SYS_iopl, 3) != 0 || fd < 0) {
		say("arguments, or not root\n");
		leave(1);
	}
	uint64_t cpu = UINT64_C(1) << argument(argv[1]);

	SYS(SYS_sched_setaffinity, 0, sizeof(cpu), &cpu);
	random_state = argument(argv[2]);
	count = argument(argv[3]);
	base = argument(argv[4]);
	for (unsigned i = 0; i < 2; i++) {
		functions[i] = (uint32_t)argument(argv[5 + i]);
		if (base)
			pages[i] = map(fd, base + ((uint64_t)functions[i] << 12));
	}
	for (; count > 0; count--) {
		uint64_t r = next();
		bool write = r & 1, watched = r & 2, by_window = base && r & 4;
		unsigned size = 1u << (r >> 3 & 3);

		if (size == 8)
			size = 4;
		/* registers that do something are in the first 64 bytes */
		unsigned offset = (r >> 5 & 3 ? r >> 8 & 0x3f : r >> 8 & 0xff) & ~(size - 1);
		uint32_t value = (uint32_t)(r >> 32), got;

		if (!by_window || (offset >= 0x10 && offset < 0x28))
			value = harmless(offset, size, value);

		if (by_window)
			got = window(write, pages[watched] + offset, size, value);
		else
			got = ports(write, functions[watched] << 8 | offset, size, value);
		if (by_window && !write && !watched && got != UINT32_MAX)
			wrong++;
		done[(by_window ? 2 : 0) + write]++;
	}
	say_number(wrong, 10);
	for (unsigned i = 0; i < 4; i++) {
		say(" ");
		say_number(done[i], 10);
	}
	say("\n");
	leave(0);
}
