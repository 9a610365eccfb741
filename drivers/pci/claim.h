/* Regions behind base address registers that drivers have claimed: their traps follow the guest. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"

/* Context of all: start-up, or mmio_lock() held. */

/*
 * The guest is about to write base address registers, or its command register: `command` is what it
 * will be. Traps are at the new places when this returns, before the hardware is.
 */
void pci_claims_follow(struct function *f, uint16_t command);
/* All claims of the function end. */
void pci_claims_end(struct function *f);
