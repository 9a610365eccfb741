/* The list of PCI functions that a start shows (DUMP_PCI_DEV_LIST). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Log the list, and page it on the screen where there is a keyboard. Returns when the guest is to
 * start. Nothing in images without the option. Context: start-up, behind the assignment.
 */
void pci_list(void);
