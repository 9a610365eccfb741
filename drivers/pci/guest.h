/* What the guest finds in configuration space, by ports and by memory alike. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"
#include "drivers/pci/space.h"

/* Context of all: mmio_lock() held. */

/* A single function that a driver has may answer at all eight numbers. */
static inline bool pci_has_shadows(const struct function *zero)
{
	return zero && zero->dev.driver && !pci_is_multi(zero);
}

/*
 * The guest need not ask what it is before it uses what has come in the place of this function:
 * each access is looked at. One that has a driver keeps it until the guest asks.
 */
static inline bool pci_replaceable(const struct function *f)
{
	return !f->dev.driver && f->assignable;
}

/* As its first register has it. */
static inline uint32_t pci_id_of(const struct function *f)
{
	return (uint32_t)f->dev.id.device << 16 | f->dev.id.vendor;
}

/*
 * The access is to be given to the two calls below. False: it is the hardware's alone, as the guest
 * made it.
 */
bool pci_guest_wants(struct pci_address at, uint16_t offset, bool write);
/*
 * An access by ports, with this in the address register, that may be made as the guest made it:
 * after all that the calls below would look at, the same would come of it. Lean: see core/vm/io.h.
 */
static inline bool pci_guest_passes(uint32_t address, unsigned offset, bool write)
{
	const struct function *f = pci_function_by_ports(address);

	if (!f || f->dev.driver || (write && f->follows_writes) ||
	    (address & PCI_ADDRESS_FUNCTION_NUMBER &&
	     pci_has_shadows(pci_function_by_ports(address & ~PCI_ADDRESS_FUNCTION_NUMBER))))
		return false;
	if (__builtin_expect(!pci_replaceable(f), 0) && offset >= 4)
		return true;
	return f->reachable && pci_space_guest_id() == pci_id_of(f);
}
/* An access within 4 bytes, naturally aligned. */
uint32_t pci_guest_read(struct pci_address at, uint16_t offset, unsigned size);
void pci_guest_write(struct pci_address at, uint16_t offset, unsigned size, uint32_t value);
