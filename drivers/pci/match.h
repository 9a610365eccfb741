/* vmm.driver.pci: the rules that say which PCI function is given to which driver. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "drivers/pci_driver.h"

/*
 *	string    := [ rule { "," "and" "," rule } [ "," "and" "," ] [ "," ] ]
 *	rule      := { key "=" pattern "," } "driver" "=" (name | "none") { "," option "=" value }
 *
 * Keys, and the text that is compared with the pattern:
 *	slot %02x:%02x.%u, class %04x, id %04x:%04x, subsystem %04x:%04x, revision or rev %02x,
 *	programming_interface or if %02x, class_code %06x, header_type %02x, number %d, and
 *	device=name, which asks whether that driver's own .device accepts the function.
 * A function outside segment 0 has the slot %04x:%02x:%02x.%u, so that a rule for segment 0 never
 * takes it.
 *
 * Patterns: ? is any character, * any characters, | separates alternatives; letter case counts.
 * Blanks before a name, a value or an alternative are skipped; spaces behind are dropped, a tab
 * there is not. Between double quotes , = | are ordinary characters; a backslash makes the next
 * character ordinary. An '=' in a value must be one of these, because a comma is missing otherwise.
 *
 * Without selection a rule is for the functions that the driver's .device accepts; with selection,
 * .device does not count. The first rule that matches wins, and "none" is a driver in this respect:
 * the function stays with the guest. number= counts the functions for which all items to its left
 * are true, from 0, whether or not an earlier rule takes them.
 */

#define PCI_MATCH_STRING_MAX  2048 /* characters of vmm.driver.pci */
#define PCI_MATCH_CONCEAL_MAX 1024 /* characters of vmm.driver.pci_conceal */
#define PCI_MATCH_TEXT_MAX    255  /* characters of pci_match_report.text */

/* An item with its comma has at least 4 characters: x=1, */
#define PCI_MATCH_ITEMS_MAX (PCI_MATCH_STRING_MAX / 4)
/* A rule has at least 13: driver=x,and, and in the old dialect 12: action=deny, */
#define PCI_MATCH_RULES_MAX 160
/* number=0, */
#define PCI_MATCH_COUNTERS_MAX 228

enum pci_match_dialect {
	PCI_MATCH_RULES, /* vmm.driver.pci */
	/*
	 * vmm.driver.pci_conceal of old configurations: key=pattern items up to action=deny, which
	 * means driver=conceal, or action=allow, driver=none; then the next rule, without `and`.
	 */
	PCI_MATCH_CONCEAL,
};

enum pci_match_code {
	PCI_MATCH_E_LONG = 1,     /* the whole string is too long */
	PCI_MATCH_E_QUOTE,        /* a quote that is not closed */
	PCI_MATCH_E_BACKSLASH,    /* nothing behind a backslash */
	PCI_MATCH_E_EMPTY,        /* nothing between two commas */
	PCI_MATCH_E_NO_EQUALS,    /* an item without '=' */
	PCI_MATCH_E_TWO_EQUALS,   /* an item with a second '=' */
	PCI_MATCH_E_NAME,         /* nothing before '=' */
	PCI_MATCH_E_VALUE,        /* nothing behind '=' */
	PCI_MATCH_E_KEY,          /* no such selection key */
	PCI_MATCH_E_NUMBER_FIRST, /* number= with nothing to count */
	PCI_MATCH_E_DRIVER,       /* no such driver, in driver= or device= */
	PCI_MATCH_E_OPTION,       /* not an option of the driver */
	PCI_MATCH_E_NONE_OPTION,  /* an option behind driver=none */
	PCI_MATCH_E_NO_DRIVER,    /* a rule without driver= */
	PCI_MATCH_E_AND,          /* `and` without a comma behind it */
	PCI_MATCH_E_ACTION,       /* an action other than deny and allow */
	PCI_MATCH_E_RECORD,       /* a driver's record that breaks the rules of pci_driver.h */
	PCI_MATCH_W_UPPER,        /* warning: A-F in a pattern that is compared with a-f */
	PCI_MATCH_W_NEVER,        /* warning: a pattern that no function can match */
	PCI_MATCH_W_NOTHING,      /* warning: a rule that no function can match */
};

/* One finding. It lives only during the callback. */
struct pci_match_report {
	enum pci_match_code code;
	bool warning;                      /* the rule is right, but hardly what was meant */
	uint32_t rule;                     /* from 1 */
	uint32_t column;                   /* from 1, in bytes of the whole string */
	char text[PCI_MATCH_TEXT_MAX + 1]; /* English: what is wrong, and what would be valid */
};

typedef void (*pci_match_report_fn)(void *arg, const struct pci_match_report *report);

/* The rules of one string. Only the parser writes and the matcher reads this. */
struct pci_match_item {
	uint16_t at, length; /* of the value as written */
	uint16_t index;      /* of the driver, the option, or the counter */
	uint8_t key;         /* enum pci_key_number */
};

#define PCI_MATCH_NO_DRIVER UINT16_MAX /* index of driver=none */

struct pci_match_rule {
	uint16_t number;      /* from 1; rules with errors have no entry */
	uint16_t first;       /* item */
	uint16_t driver, end; /* items: driver=, and the one behind the rule's last */
};

struct pci_match_rules {
	const char *text;
	const struct pci_driver *drivers;
	size_t driver_count;
	uint16_t item_count, rule_count, counter_count;
	struct pci_match_item items[PCI_MATCH_ITEMS_MAX];
	struct pci_match_rule rules[PCI_MATCH_RULES_MAX];
};

/* How far the counters of number= are, for one string. All 0 before the first function. */
struct pci_match_state {
	uint32_t count[PCI_MATCH_COUNTERS_MAX];
};

struct pci_match_result {
	uint32_t rule;                   /* that decides, from 1; 0: none does */
	const struct pci_driver *driver; /* NULL: none */
	uint16_t options, options_end;   /* items, for pci_match_options() */
};

/*
 * Reads the NUL-terminated `text`, which must stay where it is for as long as `rules` is used.
 * `report` may be NULL. Returns the number of errors, each reported; warnings do not count.
 *
 * A rule with an error never matches, the others stay. A caller that goes on with the rest must say
 * so to the user: a dropped rule may have been a protection.
 */
uint32_t pci_match_parse(struct pci_match_rules *rules, enum pci_match_dialect dialect,
			 const char *text, const struct pci_driver *drivers, size_t driver_count,
			 pci_match_report_fn report, void *arg);

/*
 * Finds the driver for a function. To be called once for each function, in the order of the scan,
 * whatever other strings say about it: number= counts all of them.
 */
void pci_match(const struct pci_match_rules *rules, struct pci_match_state *state,
	       const struct pci_function *function, struct pci_match_result *result);

/*
 * The same with several strings; the first one that decides wins. Used with the strings that old
 * keys stand for (drivers/pci/compat.h) behind vmm.driver.pci. Returns the index of the string, or
 * -ENOENT when none decides; *result is set either way.
 */
int pci_match_first(const struct pci_match_rules *const *rules,
		    struct pci_match_state *const *states, size_t count,
		    const struct pci_function *function, struct pci_match_result *result);

/*
 * True when a rule could give a function at `address` to a driver, whatever function it turns out
 * to be: what the guest may make appear there has to be looked at then. False also when driver=none
 * is sure to be first.
 */
bool pci_match_possible(const struct pci_match_rules *rules, struct pci_address address);

/*
 * Fills values[0..count-1] for the driver of `result`: NULL, or the last value that its rule gives
 * to this option, without quotes and backslashes and NUL-terminated, in `text`. `count` is at least
 * pci_record_option_count(). `size` PCI_MATCH_STRING_MAX + 1 is always enough. Returns the bytes
 * used, or -ENOSPC.
 */
int pci_match_options(const struct pci_match_rules *rules, const struct pci_match_result *result,
		      char **values, size_t count, char *text, size_t size);

/*
 * Checks the records themselves: names, .device, .driver_options. In reports, `rule` is the number
 * of the record from 1, `column` a place in its .device, or 1. Returns the number of errors.
 */
uint32_t pci_match_check_drivers(const struct pci_driver *drivers, size_t count,
				 pci_match_report_fn report, void *arg);
