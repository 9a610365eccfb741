/* The records of the image's PCI drivers, as a loader can use them (pure). */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stddef.h>
#include "boot/uefi/elf.h"
#include "drivers/pci_driver.h"

#define PCIDRIVERS_MAX      128
#define PCIDRIVERS_TEXT_MAX 4096 /* bytes of a text of a record, with its NUL */

/*
 * Copies the records of a loaded image, in their order, with the texts in the image itself: they
 * live as long as it. Functions are left out (NULL). Returns the number of records; -EINVAL when a
 * record or a text is not wholly in the image, a text is too long, or the image knows records of
 * another size; -ENOSPC when there are more than `max`. Records are as include/drivers/pci_driver.h
 * says; their contents are not checked (pci_match_check_drivers()).
 */
int pcidrivers_read(const void *image, const struct elf_plan *plan, struct pci_driver *drivers,
		    size_t max);
