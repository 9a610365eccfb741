/* Access to the configuration space of one PCI function, whatever mechanism carries it out. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdint.h>
#include "drivers/pci_driver.h"

/*
 * Callbacks of the owner. `size` is 1, 2 or 4 and `offset` a multiple of it; offsets from 0x100 on
 * are asked for only where the function is a PCI Express one. What is not there reads as ones.
 */
struct pci_config {
	uint32_t (*read)(void *arg, uint16_t offset, unsigned size);
	void (*write)(void *arg, uint16_t offset, unsigned size, uint32_t value);
	void *arg;
};

/* Registers of the header: PCI Local Bus 3.0, 6.1 and 6.2; bridges: PCI-to-PCI Bridge 1.2, 3.2. */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08, /* and the class code above it */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM = 0x2c,
	PCI_ROM = 0x30,
	PCI_BRIDGE_BUSES = 0x18, /* primary, secondary, subordinate */
	PCI_BRIDGE_ROM = 0x38,
	PCI_CAPABILITIES = 0x34,
	PCI_CARDBUS_CAPABILITIES = 0x14,
	PCI_CARDBUS_SUBSYSTEM = 0x40,
	PCI_EXTENDED = 0x100,
};

#define PCI_COMMAND_IO          0x0001
#define PCI_COMMAND_MEMORY      0x0002
#define PCI_COMMAND_MASTER      0x0004
#define PCI_STATUS_CAPABILITIES 0x0010
#define PCI_HEADER_MASK         0x7f /* without the multi-function bit */
#define PCI_HEADER_NORMAL       0
#define PCI_HEADER_BRIDGE       1
#define PCI_HEADER_CARDBUS      2

static inline uint32_t pci_config_read(const struct pci_config *config, unsigned offset,
				       unsigned size)
{
	return config->read(config->arg, (uint16_t)offset, size);
}

static inline void pci_config_write(const struct pci_config *config, unsigned offset, unsigned size,
				    uint32_t value)
{
	config->write(config->arg, (uint16_t)offset, size, value);
}

/*
 * Reads what rules can see of the function at `address`. 0, or -ENODEV when no function answers
 * (vendor 0xffff).
 */
int pci_function_read(const struct pci_config *config, struct pci_address address,
		      struct pci_function *function);
