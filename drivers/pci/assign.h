/* Which driver gets which function: the strings of the configuration, and the handing over. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include "drivers/pci/function.h"

/*
 * Read vmm.driver.pci and the old keys. 0, or -EINVAL when something in them is wrong: the user has
 * been told and asked. Context: start-up.
 */
int pci_assign_init(void);
/*
 * The function at the address is the VMM's own, whatever rules say: the guest does not find it. Not
 * so function 0 of several: that stays visible. 0 or -ENOSPC. Context: INITCALL_DRIVERS, before
 * drivers/pci/pci.c.
 */
int pci_assign_own(struct pci_address at);
/* A rule gives something to a driver, or the VMM keeps a function of its own: who watches? */
bool pci_assign_any(void);
/* A function that comes to this address while the guest runs may get a driver. */
bool pci_assign_possible(struct pci_address at);
/*
 * Ask the rules about a new function, and call the driver's `new`. 0 also when no driver gets it;
 * negative when the one that should have it has refused (logged): then the guest has it.
 */
int pci_assign(struct function *f);
