/* Configuration mechanism 1: the guest's accesses to ports CF8 and CFC-CFF. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Trap them. 0 or a negative errno. Context: start-up. */
int pci_ports_init(void);
