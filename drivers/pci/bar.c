/* Base address registers: where a function's registers are, how large, and where the guest moves
 * them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/bar.h"
#include <stddef.h>

/* PCI Local Bus 3.0, 6.2.5.1 and 6.2.5.2. */
#define BAR_IO           0x1u
#define BAR_IO_FLAGS     0x3u
#define BAR_IO_BASE      0x0000fffcu /* the CPU has 64 Ki ports */
#define BAR_MEMORY_FLAGS 0xfu
#define BAR_TYPE         0x6u /* 0: 32 bits, 4: 64 bits, 2: below 1 MiB, 6: reserved */
#define BAR_TYPE_64      0x4u
#define BAR_PREFETCHABLE 0x8u
#define ROM_ENABLE       0x1u
#define ROM_BASE         0xfffff800u

/* Ones in these bits, and in all of them, ask for the size. */
static uint32_t probe_bits(unsigned i)
{
	return i == PCI_BAR_ROM ? ROM_BASE : 0xfffffff0;
}

/* Register i is the upper half of the one before it. */
static bool is_upper(const struct pci_bars *b, unsigned i)
{
	return i > 0 && i < PCI_BAR_ROM && b->bar[i - 1].wide;
}

/* Bits of register i that no write changes, whatever the size. */
static uint32_t flag_bits(const struct pci_bars *b, unsigned i)
{
	if (i == PCI_BAR_ROM)
		return ~(ROM_BASE | ROM_ENABLE);
	if (is_upper(b, i))
		return 0;
	return b->value[i] & BAR_IO ? BAR_IO_FLAGS : BAR_MEMORY_FLAGS;
}

static void lay_out(struct pci_bars *b, const struct pci_config *config)
{
	unsigned header = pci_config_read(config, PCI_HEADER_TYPE, 1) & PCI_HEADER_MASK;
	unsigned count = header == PCI_HEADER_NORMAL    ? 6
			 : header == PCI_HEADER_BRIDGE  ? 2
			 : header == PCI_HEADER_CARDBUS ? 1
							: 0;
	unsigned i;

	*b = (struct pci_bars){0};
	for (i = 0; i < count; i++)
		b->offset[i] = (uint16_t)(PCI_BAR0 + 4 * i);
	if (header == PCI_HEADER_NORMAL)
		b->offset[PCI_BAR_ROM] = PCI_ROM;
	else if (header == PCI_HEADER_BRIDGE)
		b->offset[PCI_BAR_ROM] = PCI_BRIDGE_ROM;
}

static uint64_t base_of(const struct pci_bars *b, unsigned i)
{
	uint32_t low = b->value[i];

	if (i == PCI_BAR_ROM)
		return low & ROM_BASE;
	if (low & BAR_IO)
		return low & BAR_IO_BASE;
	return (b->bar[i].wide ? (uint64_t)b->value[i + 1] << 32 : 0) | (low & ~BAR_MEMORY_FLAGS);
}

/* The bits that hold a base, of those that take a 1. */
static uint64_t mask_of(const struct pci_bars *b, unsigned i)
{
	uint32_t low = b->ones[i];

	if (i == PCI_BAR_ROM)
		return low & ROM_BASE;
	if (low & BAR_IO)
		return low & BAR_IO_BASE;
	return (b->bar[i].wide ? (uint64_t)b->ones[i + 1] << 32 : 0) | (low & ~BAR_MEMORY_FLAGS);
}

static void decode(struct pci_bars *b)
{
	unsigned i;

	for (i = 0; i < PCI_BAR_COUNT; i++) {
		struct pci_bar *bar = &b->bar[i];
		uint32_t value = b->value[i];
		bool rom = i == PCI_BAR_ROM;
		uint64_t mask;

		if (!b->offset[i] || is_upper(b, i))
			continue;
		bar->enabled = !rom || (value & ROM_ENABLE);
		if (!rom && (value & BAR_IO)) {
			bar->type = PCI_BAR_IO;
		} else {
			bar->type = PCI_BAR_MEMORY;
			bar->prefetchable = !rom && (value & BAR_PREFETCHABLE);
			bar->wide = !rom && (value & BAR_TYPE) == BAR_TYPE_64;
		}
		/* A lower half without an upper one is no register that anything could decode. */
		if (bar->wide && (i + 1 == PCI_BAR_ROM || !b->offset[i + 1]))
			*bar = (struct pci_bar){.type = PCI_BAR_NONE};
		if (bar->type == PCI_BAR_NONE)
			continue;
		mask = mask_of(b, i);
		bar->size = b->sized ? mask & (0 - mask) : 0;
		bar->base = base_of(b, i);
		if (b->sized ? !mask : !value)
			*bar = (struct pci_bar){.type = PCI_BAR_NONE, .wide = bar->wide};
	}
}

void pci_bars_read(struct pci_bars *bars, const struct pci_config *config)
{
	unsigned i;

	lay_out(bars, config);
	for (i = 0; i < PCI_BAR_COUNT; i++) {
		if (bars->offset[i])
			bars->value[i] = pci_config_read(config, bars->offset[i], 4);
	}
	decode(bars);
}

void pci_bars_size(struct pci_bars *bars, const struct pci_config *config)
{
	uint32_t command = pci_config_read(config, PCI_COMMAND, 2);
	unsigned i;

	lay_out(bars, config);
	pci_config_write(config, PCI_COMMAND, 2,
			 command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (i = 0; i < PCI_BAR_COUNT; i++) {
		if (!bars->offset[i])
			continue;
		bars->value[i] = pci_config_read(config, bars->offset[i], 4);
		pci_config_write(config, bars->offset[i], 4,
				 i == PCI_BAR_ROM ? ROM_BASE : 0xffffffff);
		bars->ones[i] = pci_config_read(config, bars->offset[i], 4);
		pci_config_write(config, bars->offset[i], 4, bars->value[i]);
	}
	pci_config_write(config, PCI_COMMAND, 2, command);
	bars->sized = true;
	decode(bars);
}

const struct pci_bar *pci_bars_get(const struct pci_bars *bars, unsigned number)
{
	if (number >= PCI_BAR_COUNT || bars->bar[number].type == PCI_BAR_NONE)
		return NULL;
	return &bars->bar[number];
}

static bool overlaps(uint16_t reg, uint16_t offset, unsigned size)
{
	return reg && offset < reg + 4u && reg < offset + size;
}

bool pci_bars_touched(const struct pci_bars *bars, uint16_t offset, unsigned size)
{
	unsigned i;

	for (i = 0; i < PCI_BAR_COUNT; i++) {
		if (overlaps(bars->offset[i], offset, size))
			return true;
	}
	return false;
}

/* `old` with the bytes of the access over it that lie in the register. */
static uint32_t merge(uint32_t old, uint16_t reg, uint16_t offset, unsigned size, uint64_t data)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		unsigned at = reg + i;

		if (at >= offset && at < offset + size) {
			uint32_t byte = (uint32_t)(data >> (8 * (at - offset))) & 0xff;

			old = (old & ~(0xffu << (8 * i))) | byte << (8 * i);
		}
	}
	return old;
}

/* What register i reads as after `value` was written to it. */
static uint32_t settle(const struct pci_bars *b, unsigned i, uint32_t value)
{
	uint32_t flags = flag_bits(b, i), bits = ~flags;

	if (b->sized) {
		bits &= b->ones[i];
		/* Sizes are asked for without it; a function without ROM does not have it. */
		if (i == PCI_BAR_ROM && b->ones[i])
			bits |= ROM_ENABLE;
	}
	return (value & bits) | (b->value[i] & flags);
}

static void update_bases(struct pci_bars *b, struct pci_bar_write *result)
{
	unsigned i;

	for (i = 0; i < PCI_BAR_COUNT; i++) {
		struct pci_bar *bar = &b->bar[i];
		uint64_t base = base_of(b, i);

		if (bar->type == PCI_BAR_NONE)
			continue;
		if (i == PCI_BAR_ROM)
			bar->enabled = b->value[i] & ROM_ENABLE;
		if (base == bar->base || base >> 63 || result->moves == PCI_BAR_CHANGES)
			continue;
		result->move[result->moves].number = i;
		result->move[result->moves].from = bar->base;
		result->move[result->moves].to = base;
		result->moves++;
		bar->base = base;
	}
}

/* Asks the hardware again, also for the other half: a reset may have cleared the registers. */
static void refresh(struct pci_bars *b, const struct pci_config *config, unsigned i)
{
	b->value[i] = pci_config_read(config, b->offset[i], 4);
	if (is_upper(b, i))
		b->value[i - 1] = pci_config_read(config, b->offset[i - 1], 4);
	else if (b->bar[i].wide)
		b->value[i + 1] = pci_config_read(config, b->offset[i + 1], 4);
}

void pci_bars_write(struct pci_bars *bars, const struct pci_config *config, uint16_t offset,
		    unsigned size, uint64_t data, struct pci_bar_write *result)
{
	unsigned i;

	*result = (struct pci_bar_write){0};
	for (i = 0; i < PCI_BAR_COUNT; i++) {
		if (overlaps(bars->offset[i], offset, size))
			refresh(bars, config, i);
	}
	for (i = 0; i < PCI_BAR_COUNT; i++) {
		uint32_t value, bits = probe_bits(i);

		if (!overlaps(bars->offset[i], offset, size))
			continue;
		value = merge(bars->probing[i] ? bars->probe[i] : bars->value[i], bars->offset[i],
			      offset, size, data);
		bars->probing[i] = bars->sized && (value & bits) == bits;
		if (bars->probing[i]) {
			bars->probe[i] = settle(bars, i, value);
			continue;
		}
		result->write[result->writes].offset = bars->offset[i];
		result->write[result->writes].value = value;
		result->writes++;
		bars->value[i] = settle(bars, i, value);
	}
	update_bases(bars, result);
}

uint64_t pci_bars_guest_read(const struct pci_bars *bars, const struct pci_config *config,
			     uint16_t offset, unsigned size)
{
	uint64_t data = 0;
	unsigned at, i;

	for (at = offset & ~3u; at < offset + size; at += 4) {
		uint32_t value = 0;
		bool probing = false;

		for (i = 0; i < PCI_BAR_COUNT; i++) {
			if (bars->offset[i] == at && bars->probing[i]) {
				probing = true;
				value = bars->probe[i];
			}
		}
		if (!probing)
			value = pci_config_read(config, at, 4);
		for (i = 0; i < 4; i++) {
			if (at + i >= offset && at + i < offset + size)
				data |= (uint64_t)(value >> (8 * i) & 0xff)
					<< (8 * (at + i - offset));
		}
	}
	return data;
}

void pci_bar_beside_ram(uint64_t *base, uint64_t *end,
			bool (*ram)(uint64_t address, uint64_t *base, uint64_t *end))
{
	uint64_t first, last;

	while (*base < *end && ram(*base, &first, &last))
		*base = last < *end ? last : *end;
	while (*end > *base && ram(*end - 1, &first, &last))
		*end = first > *base ? first : *base;
}
