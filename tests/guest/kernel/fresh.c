/* Memory at addresses that nobody has touched: a frame buffer that is moved by its BAR. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/events.h"

#define BAR0       0x10u
#define WINDOW     (FRESH_PIECES * FRESH_PIECE)
#define FIRST      0x10000000u /* beyond the RAM, and in its GiB */
#define LAST       0x3f000000u
#define DISPI_PORT 0x1ceu /* Bochs' VBE extensions: index, and data behind it */

static uint32_t device, next; /* configuration address; 0: not looked for yet */

static void dispi(uint16_t index, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(index), "Nd"((uint16_t)DISPI_PORT));
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"((uint16_t)(DISPI_PORT + 1)));
}

static bool holds(uintptr_t at)
{
	volatile uint64_t *p = (volatile uint64_t *)at;

	p[0] = UINT64_C(0x123456789abcdef0);
	p[1] = 0;
	return p[0] == UINT64_C(0x123456789abcdef0) && p[1] == 0;
}

/* The first display controller on bus 0, with a BAR that is large enough. */
static bool find(void)
{
	for (uint32_t n = 1; n < 32; n++) {
		uint32_t bar;

		device = n << 11;
		if (pci_read(device) == 0xffffffff || pci_read(device + 8) >> 24 != 3)
			continue;
		bar = pci_read(device + BAR0);
		pci_write(device + BAR0, 0xffffffff);
		if (-(pci_read(device + BAR0) & ~15u) < WINDOW)
			continue;
		pci_write(device + BAR0, bar);
		pci_write(device + 4, pci_read(device + 4) | 2);
		next = FIRST;
		return true;
	}
	return false;
}

uint8_t *fresh_next(void)
{
	for (uint32_t i = 0; i < boot_block.count; i++) {
		const struct memory_range *m = &boot_block.memory[i];

		if (m->base < LAST && m->base + m->length > FIRST)
			case_skip("RAM where the frame buffer would go");
	}
	if (!next && !find())
		case_skip("no frame buffer");
	return (uint8_t *)(uintptr_t)next;
}

uint8_t *fresh_move(void)
{
	uint8_t *at = fresh_next();
	bool first = next == FIRST;

	if (next > LAST)
		case_error("no more untouched addresses");
	pci_write(device + BAR0, next);
	next += WINDOW;
	if (first && !holds((uintptr_t)at)) {
		/* Bochs: memory only in a mode that uses it: 640 x 480, 8 bits */
		dispi(4, 0);
		dispi(1, 640);
		dispi(2, 480);
		dispi(3, 8);
		dispi(4, 0x41);
		if (!holds((uintptr_t)at)) {
			next = FIRST;
			case_skip("the frame buffer is no memory");
		}
	}
	return first ? fresh_move() : at;
}
