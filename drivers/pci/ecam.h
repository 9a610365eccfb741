/* Configuration space in memory (ECAM): which pages of the windows are trapped, and windows that
 * move. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include "drivers/pci/function.h"

/*
 * Trapped are the pages of functions that a driver has; writes to those of bridges above them, for
 * their bus numbers, and of the host bridge whose register moves the window; and the pages of
 * functions that are not there, or may be exchanged, where a rule could give what comes to a
 * driver.
 */

/* Trap the windows. 0 or a negative errno. Context: start-up. */
int pci_ecam_init(void);
/* Behind S3: find the window where firmware has put it. 0, or a negative errno: it cannot be
 * watched there. Context: as in function.h. */
int pci_ecam_wake(void);
/* Functions came or went, or buses were renumbered. Context: as in function.h. */
void pci_ecam_refresh(void);
/*
 * The guest writes the register that moves a window, of f->is_window_register. True when the write
 * has been carried out, or refused (logged); false when it is about another register. Context: as
 * in function.h.
 */
bool pci_ecam_write(struct function *f, uint16_t offset, unsigned size, uint32_t value);
