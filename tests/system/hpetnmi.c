/* Guest program: a comparator of the HPET sends the boot CPU NMIs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "guestprogram.h"

/*
 * hpetnmi TIMER COUNT MICROSECONDS SLEEPS: one after the other, each some microseconds more than
 * MICROSECONDS behind the one before. Meanwhile it sleeps, or (SLEEPS 0) computes. The comparator
 * then is as it was; the kernel must not use it.
 */
#define HPET       0xfed00000ul
#define HPET_BYTES 0x400
#define PERIOD     0x4  /* femtoseconds a tick */
#define COUNTER    0xf0 /* lower half; the upper one is behind it */
#define TIMER(n)   (0x100 + 0x20 * (n))
#define CONFIG     0x0
#define COMPARE    0x8
#define DATA       0x10
#define ADDRESS    0x14

#define BY_MESSAGE 0x4000
#define INTERRUPT  0x4
#define NMI        0x400
#define BOOT_CPU   0xfee00000
/* So that they fall anywhere between what comes each millisecond, also where the guest's work and
 * that go together. */
#define SPREAD_US 1009
#define STEP_US   617
#define LAG_US                                                                                     \
	200ull /* by then a message that is late in an emulator has been sent, and may be switched \
		  off */

__asm__(".globl _start\n"
	"_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call program\n");

static volatile uint8_t *regs;

static uint32_t get(unsigned at)
{
	return *(volatile uint32_t *)(volatile void *)(regs + at);
}

static void set(unsigned at, uint32_t value)
{
	*(volatile uint32_t *)(volatile void *)(regs + at) = value;
}

static uint64_t counter(void)
{
	uint32_t high, low;

	do {
		high = get(COUNTER + 4);
		low = get(COUNTER);
	} while (get(COUNTER + 4) != high);
	return (uint64_t)high << 32 | low;
}

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	while (*s)
		v = v * 10 + (uint64_t)(*s++ - '0');
	return v;
}

/* Some hundred microseconds at most, without an exit. */
static void compute(void)
{
	for (volatile unsigned i = 0; i < 20000; i++)
		;
}

static void messages(unsigned timer, uint32_t data, uint32_t address)
{
	set(TIMER(timer) + DATA, data);
	set(TIMER(timer) + ADDRESS, address);
}

static void one(unsigned timer, uint64_t us, bool sleeps)
{
	const struct {
		long s, ns;
	} time = {0, (long)us * 1000};
	uint64_t due;

	set(TIMER(timer) + CONFIG, BY_MESSAGE);
	due = counter() + us * 1000000000 / get(PERIOD);
	set(TIMER(timer) + COMPARE, (uint32_t)due);
	set(TIMER(timer) + COMPARE + 4, (uint32_t)(due >> 32));
	set(TIMER(timer) + CONFIG, BY_MESSAGE | INTERRUPT);
	do {
		if (sleeps)
			SYS(SYS_nanosleep, &time, 0);
		else
			compute();
	} while ((int64_t)(due + LAG_US * 1000000000 / get(PERIOD) - counter()) >= 0);
}

void program(uint64_t *stack);
void program(uint64_t *stack)
{
	unsigned timer = (unsigned)number((const char *)stack[2]);
	uint64_t count = number((const char *)stack[3]), us = number((const char *)stack[4]);
	bool sleeps = number((const char *)stack[5]);
	int fd = (int)SYS(SYS_open, "/dev/mem", O_RDWR | O_SYNC);
	long p = SYS(SYS_mmap, 0, HPET_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)HPET);
	uint32_t config;

	if (fd < 0 || (p < 0 && p > -4096))
		leave(1);
	regs = (volatile uint8_t *)p;
	config = get(TIMER(timer) + CONFIG);
	messages(timer, NMI, BOOT_CPU);
	for (uint64_t i = 0; i < count; i++)
		one(timer, us + i * STEP_US % SPREAD_US, sleeps);
	set(TIMER(timer) + CONFIG, config);
	messages(timer, 0, 0);
	leave(0);
}
