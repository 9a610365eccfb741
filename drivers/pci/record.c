/* What a driver's record says: the functions it accepts, and its options. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/record.h"
#include "core/errno.h"
#include "core/string.h"
#include "drivers/pci/key.h"

bool pci_record_item(const char *text, size_t length, size_t *at, struct pattern_item *item)
{
	if (*at > length)
		return false;
	pattern_item(text, length, *at, item);
	*at = item->end + 1;
	return true;
}

bool pci_record_accepts(const struct pci_driver *driver, const struct pci_function *function)
{
	const char *text = driver->device;
	size_t length = text ? strlen(text) : 0, at = 0;
	struct pattern_item item;

	if (length == 0)
		return false;
	while (pci_record_item(text, length, &at, &item)) {
		const struct pci_key *key = pci_key_find(text + item.name, item.name_length);

		if (!key || !key->form || key->key == PCI_KEY_NUMBER || item.fault)
			return false; /* pci_match_check_drivers() has said so */
		if (!pci_key_selects(key->key, text + item.value, item.value_length, function))
			return false;
	}
	return true;
}

bool pci_record_accepts_something(const struct pci_driver *driver)
{
	const char *text = driver->device;
	size_t length = text ? strlen(text) : 0, at = 0;
	struct pattern_item item;

	if (length == 0)
		return false;
	while (pci_record_item(text, length, &at, &item)) {
		const struct pci_key *key = pci_key_find(text + item.name, item.name_length);

		if (!key || !key->form ||
		    !pci_key_possible_any(key, text + item.value, item.value_length))
			return false;
	}
	return true;
}

bool pci_record_option(const char *names, size_t number, const char **name, size_t *length)
{
	const char *end;

	for (; names; names = end + 1) {
		while (*names == ' ' || *names == '\t')
			names++;
		for (end = names; *end && *end != ','; end++)
			;
		if (number-- == 0) {
			*name = names;
			for (*length = (size_t)(end - names);
			     *length > 0 && names[*length - 1] == ' '; --*length)
				;
			return *length > 0 || *end != 0;
		}
		if (*end == 0)
			break;
	}
	return false;
}

size_t pci_record_option_count(const char *names)
{
	const char *name;
	size_t count = 0, length;

	while (pci_record_option(names, count, &name, &length))
		count++;
	return count;
}

int pci_record_find_option(const char *names, const char *text, size_t text_length)
{
	const char *name;
	size_t length;
	int i;

	for (i = 0; pci_record_option(names, (size_t)i, &name, &length); i++) {
		if (length == text_length && memcmp(name, text, length) == 0)
			return i;
	}
	return -ENOENT;
}
