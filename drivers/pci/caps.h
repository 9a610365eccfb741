/* Capabilities of a PCI function: the walk through its lists, and the ones that the VMM needs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci/config.h"

/* PCI Code and ID Assignment 1.11, chapter 2. */
enum {
	PCI_CAP_PM = 0x01,
	PCI_CAP_MSI = 0x05,
	PCI_CAP_PCIE = 0x10,
	PCI_CAP_MSIX = 0x11,
};

/*
 * A walk through one of the two lists; all zero at first. It ends at the list's end, at a pointer
 * out of range, and where the list comes back to where it was.
 */
struct pci_cap_walk {
	uint8_t seen[4096 / 4 / 8]; /* a bit for each place that a capability can have */
	uint16_t next;
	bool started;
};

struct pci_cap {
	uint16_t id;
	uint16_t offset;
};

/* The next capability in the first 256 bytes. PCI Local Bus 3.0, 6.7. */
bool pci_cap_next(const struct pci_config *config, struct pci_cap_walk *walk, struct pci_cap *cap);

/* The next extended one, of a PCI Express function. PCI Express Base 3.0, 7.9. */
bool pci_extended_next(const struct pci_config *config, struct pci_cap_walk *walk,
		       struct pci_cap *cap);

/* Offset of the first capability with this id, or 0. */
uint16_t pci_cap_find(const struct pci_config *config, uint8_t id);
uint16_t pci_extended_find(const struct pci_config *config, uint16_t id);

/* PCI Local Bus 3.0, 6.8.1. */
struct pci_msi {
	uint16_t offset; /* 0: the function has none */
	uint8_t vectors; /* 1-32 that it can ask for */
	bool wide;       /* 64-bit address */
	uint16_t data;   /* offset of the data; the address is at offset + 4 */
	uint16_t mask;   /* offset of the mask bits, the pending bits behind them; 0: none */
	uint16_t end;    /* behind the last byte */
};

/* PCI Local Bus 3.0, 6.8.2. */
struct pci_msix {
	uint16_t offset;                /* 0: the function has none */
	uint16_t vectors;               /* 1-2048 */
	uint8_t table_bar, pending_bar; /* 0-5 */
	uint32_t table_offset, pending_offset;
};

struct pci_caps {
	uint16_t pm;   /* offset, 0: none. PCI Bus Power Management 1.2, 3.2 */
	uint16_t pcie; /* offset, 0: no PCI Express function. PCI Express Base 3.0, 7.8 */
	uint8_t pcie_version, pcie_type;
	struct pci_msi msi;
	struct pci_msix msix;
};

/* Reads what stands in the first list; the first capability of a kind counts. */
void pci_caps_read(const struct pci_config *config, struct pci_caps *caps);
