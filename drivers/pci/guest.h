/* What the guest finds in configuration space, by ports and by memory alike. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"

/* Context of all: mmio_lock() held. */

/*
 * The access is to be given to the two calls below. False: it is the hardware's alone, as the guest
 * made it.
 */
bool pci_guest_wants(struct pci_address at, uint16_t offset, bool write);
/* An access within 4 bytes, naturally aligned. */
uint32_t pci_guest_read(struct pci_address at, uint16_t offset, unsigned size);
void pci_guest_write(struct pci_address at, uint16_t offset, unsigned size, uint32_t value);
