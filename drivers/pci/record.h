/* What a driver's record says: the functions it accepts, and its options. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "drivers/pci/pattern.h"
#include "drivers/pci_driver.h"

/* True when the driver's own .device accepts the function. */
bool pci_record_accepts(const struct pci_driver *driver, const struct pci_function *function);

/* True when it accepts any function at all. */
bool pci_record_accepts_something(const struct pci_driver *driver);

/* One item of a .device; *at, 0 at first, moves behind it. False behind the last. */
bool pci_record_item(const char *text, size_t length, size_t *at, struct pattern_item *item);

/* Number of names in .driver_options (may be NULL). */
size_t pci_record_option_count(const char *names);

/* Name `number` of them, without blanks around; false behind the last. */
bool pci_record_option(const char *names, size_t number, const char **name, size_t *length);

/* Number of the option with this name, or -ENOENT. */
int pci_record_find_option(const char *names, const char *name, size_t length);
