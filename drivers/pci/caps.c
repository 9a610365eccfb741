/* Capabilities of a PCI function: the walk through its lists, and the ones that the VMM needs. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/caps.h"

#define FIRST_PLACE 0x40 /* behind the header */
#define PLACES_END  0x100
#define CONFIG_END  0x1000

/* True when the walk was at `offset` before; it has been there now. */
static bool been_there(struct pci_cap_walk *walk, unsigned offset)
{
	uint8_t bit = (uint8_t)(1u << (offset / 4 % 8)), *byte = &walk->seen[offset / 4 / 8];
	bool seen = *byte & bit;

	*byte = (uint8_t)(*byte | bit);
	return seen;
}

static uint16_t first_pointer(const struct pci_config *config)
{
	uint32_t header = pci_config_read(config, PCI_HEADER_TYPE, 1) & PCI_HEADER_MASK;

	if (!(pci_config_read(config, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	return (uint16_t)pci_config_read(
	    config, header == PCI_HEADER_CARDBUS ? PCI_CARDBUS_CAPABILITIES : PCI_CAPABILITIES, 1);
}

bool pci_cap_next(const struct pci_config *config, struct pci_cap_walk *walk, struct pci_cap *cap)
{
	uint32_t header;
	unsigned at;

	if (!walk->started)
		walk->next = first_pointer(config);
	walk->started = true;
	at = walk->next & 0xfcu; /* the lower two bits are reserved: software masks them */
	walk->next = 0;
	if (at < FIRST_PLACE || been_there(walk, at))
		return false;
	header = pci_config_read(config, at, 2);
	if ((header & 0xff) == 0xff) /* a function that does not answer any more */
		return false;
	walk->next = (uint16_t)(header >> 8 & 0xff);
	*cap = (struct pci_cap){.id = (uint16_t)(header & 0xff), .offset = (uint16_t)at};
	return true;
}

bool pci_extended_next(const struct pci_config *config, struct pci_cap_walk *walk,
		       struct pci_cap *cap)
{
	uint32_t header;
	unsigned at = walk->started ? walk->next & 0xffcu : PCI_EXTENDED;

	walk->started = true;
	walk->next = 0;
	if (at < PCI_EXTENDED || at > CONFIG_END - 4 || been_there(walk, at))
		return false;
	header = pci_config_read(config, at, 4);
	/* No list: all zero at its start (7.9.1). Ones: nobody answers. */
	if (header == 0 || header == 0xffffffff)
		return false;
	walk->next = (uint16_t)(header >> 20);
	*cap = (struct pci_cap){.id = (uint16_t)header, .offset = (uint16_t)at};
	return true;
}

uint16_t pci_cap_find(const struct pci_config *config, uint8_t id)
{
	struct pci_cap_walk walk = {0};
	struct pci_cap cap;

	while (pci_cap_next(config, &walk, &cap)) {
		if (cap.id == id)
			return cap.offset;
	}
	return 0;
}

uint16_t pci_extended_find(const struct pci_config *config, uint16_t id)
{
	struct pci_cap_walk walk = {0};
	struct pci_cap cap;

	while (pci_extended_next(config, &walk, &cap)) {
		if (cap.id == id)
			return cap.offset;
	}
	return 0;
}

static void read_msi(const struct pci_config *config, unsigned at, struct pci_msi *msi)
{
	uint32_t control = pci_config_read(config, at + 2, 2);
	unsigned log2 = control >> 1 & 7;
	bool wide = control & 0x80, maskable = control & 0x100;
	unsigned data = at + (wide ? 12 : 8), end = maskable ? data + 12 : data + 2;

	if (end > PLACES_END)
		return;
	*msi = (struct pci_msi){
	    .offset = (uint16_t)at,
	    .vectors = (uint8_t)(1u << (log2 > 5 ? 5 : log2)), /* 6 and 7 are reserved */
	    .wide = wide,
	    .data = (uint16_t)data,
	    .mask = (uint16_t)(maskable ? data + 4 : 0),
	    .end = (uint16_t)end,
	};
}

static void read_msix(const struct pci_config *config, unsigned at, struct pci_msix *msix)
{
	uint32_t control, table, pending;

	if (at + 12 > PLACES_END)
		return;
	control = pci_config_read(config, at + 2, 2);
	table = pci_config_read(config, at + 4, 4);
	pending = pci_config_read(config, at + 8, 4);
	if ((table & 7) > 5 || (pending & 7) > 5) /* reserved */
		return;
	*msix = (struct pci_msix){
	    .offset = (uint16_t)at,
	    .vectors = (uint16_t)((control & 0x7ff) + 1),
	    .table_bar = (uint8_t)(table & 7),
	    .pending_bar = (uint8_t)(pending & 7),
	    .table_offset = table & ~7u,
	    .pending_offset = pending & ~7u,
	};
}

void pci_caps_read(const struct pci_config *config, struct pci_caps *caps)
{
	struct pci_cap_walk walk = {0};
	struct pci_cap cap;
	uint32_t control;

	*caps = (struct pci_caps){0};
	while (pci_cap_next(config, &walk, &cap)) {
		switch (cap.id) {
		case PCI_CAP_PM:
			if (!caps->pm)
				caps->pm = cap.offset;
			break;
		case PCI_CAP_MSI:
			if (!caps->msi.offset)
				read_msi(config, cap.offset, &caps->msi);
			break;
		case PCI_CAP_PCIE:
			if (caps->pcie)
				break;
			control = pci_config_read(config, cap.offset + 2u, 2);
			caps->pcie = cap.offset;
			caps->pcie_version = (uint8_t)(control & 15);
			caps->pcie_type = (uint8_t)(control >> 4 & 15);
			break;
		case PCI_CAP_MSIX:
			if (!caps->msix.offset)
				read_msix(config, cap.offset, &caps->msix);
			break;
		default:
			break;
		}
	}
}
