/* PCI configuration space. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/guest/kernel/guest.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000u

uint32_t pci_read(uint32_t address)
{
	outl(PORT_ADDRESS, ENABLE | address);
	return inl(PORT_DATA);
}

void pci_write(uint32_t address, uint32_t value)
{
	outl(PORT_ADDRESS, ENABLE | address);
	outl(PORT_DATA, value);
}
