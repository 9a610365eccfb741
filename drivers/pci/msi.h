/* Between drivers/pci/msi.c and what the guest's accesses come through: configuration space and
 * claims. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"

/* Context of all: start-up, or mmio_lock() held. `f` may have no owner of its messages. */

/* Context: start-up, before the first driver gets a function. 0 or -ENOSPC. */
int pci_msi_init(void);

/* True when some of the bytes in configuration space are shadowed. */
bool pci_msi_covers(const struct function *f, uint16_t offset, unsigned size);
uint32_t pci_msi_config_read(struct function *f, uint16_t offset, unsigned size);
void pci_msi_config_write(struct function *f, uint16_t offset, unsigned size, uint32_t value);

/* True when the BAR has the table of MSI-X or its pending bits, and they are shadowed. */
bool pci_msi_in_bar(const struct function *f, unsigned bar);
/* The guest's access to a BAR. False: to nothing that is shadowed. */
bool pci_msi_region_read(struct function *f, unsigned bar, uint64_t offset, unsigned size,
			 uint64_t *value);
bool pci_msi_region_write(struct function *f, unsigned bar, uint64_t offset, unsigned size,
			  uint64_t value);
/* The function has begun to decode memory: the hardware's table can be written. */
void pci_msi_reachable(struct function *f);
/* The function has been reset. */
void pci_msi_follow_reset(struct function *f);
/* The function is gone. */
void pci_msi_end(struct function *f);
