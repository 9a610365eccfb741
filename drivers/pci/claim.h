/* Regions behind base address registers that drivers have claimed: their traps follow the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"

/* Context of all: start-up, or mmio_lock() held. */

/*
 * The guest is about to write base address registers, or its command register: `command` is what it
 * will be. Traps are at the new places when this returns, before the hardware is. Returns the bits
 * of the command register that must stay off, because something cannot be trapped where it would
 * be.
 */
uint16_t pci_claims_follow(struct function *f, uint16_t command);
/*
 * Something else will be in memory at [base, end): claims there end that give way (struct
 * pci_region_ops).
 */
void pci_claims_yield(uint64_t base, uint64_t end);
/*
 * Trap part of a BAR, for drivers/pci/msi.c, which is asked first in any claim. While a driver has
 * claimed the BAR as a whole, its trap is also this one's. `number` is CLAIM_MSIX_TABLE or
 * CLAIM_MSIX_PENDING. 0, or as pci_claim().
 */
int pci_claim_part(struct function *f, unsigned number, unsigned bar, uint64_t first,
		   uint64_t size);
void pci_claim_part_end(struct function *f, unsigned number);
/* A trap is there for the BAR or a part, and so the function decodes it. */
bool pci_claim_is_decoded(const struct function *f, unsigned bar);
/* All claims of the function end. */
void pci_claims_end(struct function *f);
