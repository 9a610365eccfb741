/* Base address registers: where a function's registers are, how large, and where the guest moves
 * them. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci.h"
#include "drivers/pci/config.h"

struct pci_bars {
	struct pci_bar bar[PCI_BAR_COUNT];
	/* Of each register, also of upper halves; only bar.c reads these. */
	uint16_t offset[PCI_BAR_COUNT]; /* 0: the header has no such register */
	uint32_t value[PCI_BAR_COUNT];  /* in the hardware */
	uint32_t probe[PCI_BAR_COUNT];  /* what a guest that asks for the size reads */
	uint32_t ones[PCI_BAR_COUNT];   /* what the hardware answers to ones */
	bool probing[PCI_BAR_COUNT];
	bool sized;
};

/* Decodes the registers without writing any. */
void pci_bars_read(struct pci_bars *bars, const struct pci_config *config);

/*
 * The same with sizes. Writes ones, and so switches off decoding meanwhile: the function must be
 * idle. Not for bridges, which would stop to forward. Command and registers are as before then;
 * status is not written.
 */
void pci_bars_size(struct pci_bars *bars, const struct pci_config *config);

/* BAR `number` < PCI_BAR_COUNT, or NULL when there is none. */
const struct pci_bar *pci_bars_get(const struct pci_bars *bars, unsigned number);

/* True when an access touches a register of these. */
bool pci_bars_touched(const struct pci_bars *bars, uint16_t offset, unsigned size);

/* Registers that 8 bytes can touch. */
#define PCI_BAR_CHANGES 3

/* What a write of the guest comes to. */
struct pci_bar_write {
	unsigned writes; /* to be carried out on the hardware, 4 bytes each, in this order */
	struct {
		uint16_t offset;
		uint32_t value;
	} write[PCI_BAR_CHANGES];
	unsigned moves;
	struct {
		unsigned number; /* of the BAR; of the lower half where it has two */
		uint64_t from, to;
	} move[PCI_BAR_CHANGES];
};

/*
 * A write of the guest of `size` 1, 2, 4 or 8 bytes that touches registers of these (the rest of
 * it is not looked at, and not in `result`). Bytes that are not written keep what the guest last
 * saw there. Ones in all address bits ask for the size: they never reach the hardware, if sizes are
 * known, and the registers answer as hardware would until something else is written.
 *
 * `bars` has the new bases afterwards; the caller first moves what stands on the old ones, then
 * carries out the writes. Bases of 2^63 and above are no move: they are the first half of a change.
 */
void pci_bars_write(struct pci_bars *bars, const struct pci_config *config, uint16_t offset,
		    unsigned size, uint64_t data, struct pci_bar_write *result);

/*
 * A read of the guest of `size` 1, 2, 4 or 8 bytes that touches registers of these, all other bytes
 * read from the hardware.
 */
uint64_t pci_bars_guest_read(const struct pci_bars *bars, const struct pci_config *config,
			     uint16_t offset, unsigned size);

/*
 * What of [*base, *end) a function can answer for: RAM takes accesses before they reach it. Cut off
 * is RAM at both ends; *base == *end: all is RAM. `ram` says where the RAM around an address begins
 * and ends, false: it is none.
 */
void pci_bar_beside_ram(uint64_t *base, uint64_t *end,
			bool (*ram)(uint64_t address, uint64_t *base, uint64_t *end));
