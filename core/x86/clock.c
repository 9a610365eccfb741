/* Time in microseconds, and delays. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/x86/clock.h"
#include "core/x86/cpu.h"

/* 8254 (data sheet): channel 2, gated by port 61h bit 0, output readable at bit 5. */
#define PIT_HZ      1193182u
#define PIT_CH2     0x42
#define PIT_COMMAND 0x43
#define PORT_61     0x61
#define GATE2       1
#define SPEAKER     2
#define OUT2        0x20

static uint64_t tsc_hz = 1000000000; /* until measured */
static uint64_t tsc_start;

static uint64_t measure_by_pit(void)
{
	const uint32_t us = 20000;
	uint32_t count = (uint32_t)((uint64_t)PIT_HZ * us / 1000000);
	uint8_t old = inb(PORT_61);

	outb(PORT_61, (uint8_t)((old & ~SPEAKER) | GATE2));
	outb(PIT_COMMAND, 0xb0); /* channel 2, low then high byte, mode 0 */
	outb(PIT_CH2, (uint8_t)count);
	outb(PIT_CH2, (uint8_t)(count >> 8));
	uint64_t start = rdtsc();

	while (!(inb(PORT_61) & OUT2)) {
		if (rdtsc() - start > UINT64_C(2000000000)) /* no PIT: more than 0.4 s at 5 GHz */
			break;
	}
	uint64_t ticks = rdtsc() - start;

	outb(PORT_61, old);
	return ticks * 1000000 / us;
}

void clock_init(void)
{
	tsc_hz = measure_by_pit();
	if (tsc_hz < 1000000)
		tsc_hz = 1000000;
	tsc_start = rdtsc();
}

uint64_t clock_tsc_hz(void)
{
	return tsc_hz;
}

uint64_t clock_us(void)
{
	uint64_t t = rdtsc() - tsc_start;

	return t / tsc_hz * 1000000 + t % tsc_hz * 1000000 / tsc_hz;
}

void clock_delay_us(uint64_t us)
{
	uint64_t start = rdtsc(), ticks = us * (tsc_hz / 1000) / 1000;

	while (rdtsc() - start < ticks)
		cpu_pause();
}
