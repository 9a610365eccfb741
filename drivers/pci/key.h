/* Selection keys of vmm.driver.pci: the text of each for a function, and what can match it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "drivers/pci_driver.h"

enum pci_key_number {
	PCI_KEY_SLOT,
	PCI_KEY_CLASS,
	PCI_KEY_ID,
	PCI_KEY_SUBSYSTEM,
	PCI_KEY_REVISION,
	PCI_KEY_INTERFACE,
	PCI_KEY_CLASS_CODE,
	PCI_KEY_HEADER_TYPE,
	PCI_KEY_DEVICE,
	PCI_KEY_NUMBER,
};

/*
 * `form` is what the key's text looks like, a class of characters each: h 0-9 a-f, t 0-1 (device
 * numbers end at 1f), o 0-7, d 0-9, n 1-9, else itself. NULL: the key is no pattern.
 */
struct pci_key {
	const char *name;
	enum pci_key_number key;
	const char *format, *form;
};

/* All names; several may stand for one key. The last two are device and number. */
#define PCI_KEY_COUNT 12
extern const struct pci_key pci_keys[PCI_KEY_COUNT];

/* Characters of the longest text that a pattern is matched against. */
#define PCI_KEY_TEXT_MAX 16

/* The key with exactly this name, or NULL. */
const struct pci_key *pci_key_find(const char *name, size_t length);

/* The first name of a key. */
const struct pci_key *pci_key_get(enum pci_key_number key);

/* True when the value, a pattern with alternatives, matches the function. Not for device, number.
 */
bool pci_key_selects(enum pci_key_number key, const char *value, size_t length,
		     const struct pci_function *function);

/* True when one alternative can match any text of the key at all. Not for device. */
bool pci_key_possible(const struct pci_key *key, const char *pattern, size_t length);

/* The same of any alternative of a value. */
bool pci_key_possible_any(const struct pci_key *key, const char *value, size_t length);
