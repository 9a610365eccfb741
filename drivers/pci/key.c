/* Selection keys of vmm.driver.pci: the text of each for a function, and what can match it. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/key.h"
#include "core/string.h"
#include "drivers/pci/pattern.h"
#include "drivers/pci/text.h"

const struct pci_key pci_keys[PCI_KEY_COUNT] = {
    {"slot", PCI_KEY_SLOT, "%02x:%02x.%u", "hh:th.o"},
    {"class", PCI_KEY_CLASS, "%04x", "hhhh"},
    {"id", PCI_KEY_ID, "%04x:%04x", "hhhh:hhhh"},
    {"subsystem", PCI_KEY_SUBSYSTEM, "%04x:%04x", "hhhh:hhhh"},
    {"revision", PCI_KEY_REVISION, "%02x", "hh"},
    {"rev", PCI_KEY_REVISION, "%02x", "hh"},
    {"programming_interface", PCI_KEY_INTERFACE, "%02x", "hh"},
    {"if", PCI_KEY_INTERFACE, "%02x", "hh"},
    {"class_code", PCI_KEY_CLASS_CODE, "%06x", "hhhhhh"},
    {"header_type", PCI_KEY_HEADER_TYPE, "%02x", "hh"},
    {"device", PCI_KEY_DEVICE, "a driver's name", NULL},
    {"number", PCI_KEY_NUMBER, "%d", "d"},
};
static const char segment_form[] = "hhhh:hh:th.o"; /* slot outside segment 0 */
static const char number_form[] = "nddddddddd";    /* all of it, or a d alone */

const struct pci_key *pci_key_find(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < PCI_KEY_COUNT; i++) {
		if (strlen(pci_keys[i].name) == length &&
		    memcmp(pci_keys[i].name, name, length) == 0)
			return &pci_keys[i];
	}
	return NULL;
}

const struct pci_key *pci_key_get(enum pci_key_number key)
{
	size_t i = 0;

	while (pci_keys[i].key != key)
		i++;
	return &pci_keys[i];
}

/* The text of a key for a function; device and number have none. */
static size_t subject(enum pci_key_number key, const struct pci_function *f, char *buffer)
{
	struct text t = {buffer, PCI_KEY_TEXT_MAX + 1};

	*buffer = 0;
	switch (key) {
	case PCI_KEY_SLOT:
		put_address(&t, &f->address);
		break;
	case PCI_KEY_CLASS:
		put_hex(&t, f->class_code >> 8, 4);
		break;
	case PCI_KEY_ID:
		put_hex(&t, f->vendor, 4);
		put_char(&t, ':');
		put_hex(&t, f->device, 4);
		break;
	case PCI_KEY_SUBSYSTEM:
		put_hex(&t, f->sub_vendor, 4);
		put_char(&t, ':');
		put_hex(&t, f->sub_device, 4);
		break;
	case PCI_KEY_REVISION:
		put_hex(&t, f->revision, 2);
		break;
	case PCI_KEY_INTERFACE:
		put_hex(&t, f->class_code, 2);
		break;
	case PCI_KEY_CLASS_CODE:
		put_hex(&t, f->class_code, 6);
		break;
	case PCI_KEY_HEADER_TYPE:
		put_hex(&t, f->header_type, 2);
		break;
	case PCI_KEY_DEVICE:
	case PCI_KEY_NUMBER: /* cannot be: the matcher treats both itself */
		break;
	}
	return (size_t)(t.at - buffer);
}

bool pci_key_selects(enum pci_key_number key, const char *value, size_t length,
		     const struct pci_function *f)
{
	char buffer[PCI_KEY_TEXT_MAX + 1];
	size_t n = subject(key, f, buffer);

	return pattern_match_any(value, length, buffer, n);
}

/* The class of characters `text` has the pattern's character in it. */
static bool same_class(char pattern, char text)
{
	switch (text) {
	case 'h':
		return (pattern >= '0' && pattern <= '9') || (pattern >= 'a' && pattern <= 'f');
	case 't':
		return pattern == '0' || pattern == '1';
	case 'o':
		return pattern >= '0' && pattern <= '7';
	case 'd':
		return pattern >= '0' && pattern <= '9';
	case 'n':
		return pattern >= '1' && pattern <= '9';
	default:
		return pattern == text;
	}
}

/* Can the alternative match any text of the key at all? */
bool pci_key_possible(const struct pci_key *key, const char *pattern, size_t length)
{
	size_t digits;

	if (pattern_match(pattern, length, key->form, strlen(key->form), same_class))
		return true;
	if (key->key == PCI_KEY_SLOT)
		return pattern_match(pattern, length, segment_form, strlen(segment_form),
				     same_class);
	if (key->key != PCI_KEY_NUMBER)
		return false;
	for (digits = 2; digits <= strlen(number_form); digits++) {
		if (pattern_match(pattern, length, number_form, digits, same_class))
			return true;
	}
	return false;
}

bool pci_key_possible_any(const struct pci_key *key, const char *value, size_t length)
{
	size_t next = 0, first, count;

	while (pattern_alternative(value, length, &next, &first, &count)) {
		if (pci_key_possible(key, value + first, count))
			return true;
	}
	return false;
}
