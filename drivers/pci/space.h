/* Configuration space of the hardware, and how it is reached. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/x86/cpu.h"
#include "drivers/pci/access.h"

/*
 * Segment 0 is reached through ports CF8 and CFC, as far as these go (PCI Local
 * Bus 3.0, 3.2.2.3.2): always there, and no window can be moved away from under it. The address
 * register holds what the guest last wrote whenever the lock is free. Extended registers and other
 * segments are reached through the memory windows.
 *
 * Context of all: start-up, or mmio_lock() held.
 */

#define PCI_WINDOWS 16

/* Windows on configuration space in memory, from the MCFG; the guest may move one (ecam.c). */
extern struct pci_ecam pci_windows[PCI_WINDOWS];
extern unsigned pci_window_count;

/* Find the windows, log them, and take the address register over. */
void pci_space_init(void);
/* Behind S3: the port for addresses is what firmware has left there. */
void pci_space_wake(void);

/* `size` 1, 2 or 4, `offset` a multiple of it, below 4096. What cannot be reached reads as ones. */
uint32_t pci_space_read(struct pci_address at, uint16_t offset, unsigned size);
void pci_space_write(struct pci_address at, uint16_t offset, unsigned size, uint32_t value);

extern uint32_t pci_space_guest;

/* The guest's address register. Setting it writes the hardware's. */
static inline uint32_t pci_space_guest_address(void)
{
	return pci_space_guest;
}

static inline void pci_space_set_guest_address(uint32_t value)
{
	pci_space_guest = value;
	outl(PCI_PORT_ADDRESS, value);
}

/* Device and vendor ID of the function that the guest's address register names. */
static inline uint32_t pci_space_guest_id(void)
{
	uint32_t id;

	outl(PCI_PORT_ADDRESS, pci_space_guest & (PCI_ADDRESS_ENABLE | PCI_ADDRESS_FUNCTION));
	id = inl(PCI_PORT_DATA);
	outl(PCI_PORT_ADDRESS, pci_space_guest);
	return id;
}
