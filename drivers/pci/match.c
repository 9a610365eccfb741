/* vmm.driver.pci: which rule is for a function, and what it gives. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/match.h"
#include "core/errno.h"
#include "drivers/pci/key.h"
#include "drivers/pci/pattern.h"
#include "drivers/pci/record.h"
#include "drivers/pci/text.h"

static bool matches(const struct pci_match_rules *rules, const struct pci_match_rule *rule,
		    struct pci_match_state *state, const struct pci_function *f)
{
	const struct pci_match_item *driver = &rules->items[rule->driver];
	unsigned i;

	if (rule->first == rule->driver)
		return driver->index != PCI_MATCH_NO_DRIVER &&
		       pci_record_accepts(&rules->drivers[driver->index], f);
	for (i = rule->first; i < rule->driver; i++) {
		const struct pci_match_item *item = &rules->items[i];
		const char *value = rules->text + item->at;
		char buffer[PCI_KEY_TEXT_MAX + 1];
		struct text t = {buffer, sizeof(buffer)};

		if (item->key == PCI_KEY_DEVICE) {
			if (!pci_record_accepts(&rules->drivers[item->index], f))
				return false;
		} else if (item->key == PCI_KEY_NUMBER) {
			put_decimal(&t, state->count[item->index]++);
			if (!pattern_match_any(value, item->length, buffer,
					       (size_t)(t.at - buffer)))
				return false;
		} else if (!pci_key_selects((enum pci_key_number)item->key, value, item->length,
					    f)) {
			return false;
		}
	}
	return true;
}

void pci_match(const struct pci_match_rules *rules, struct pci_match_state *state,
	       const struct pci_function *function, struct pci_match_result *result)
{
	unsigned i;

	*result = (struct pci_match_result){0};
	/* All rules, also behind the one that wins: their counters count this function as well. */
	for (i = 0; i < rules->rule_count; i++) {
		const struct pci_match_rule *rule = &rules->rules[i];
		uint16_t driver = rules->items[rule->driver].index;

		if (!matches(rules, rule, state, function) || result->rule)
			continue;
		*result = (struct pci_match_result){
		    .rule = rule->number,
		    .driver = driver == PCI_MATCH_NO_DRIVER ? NULL : &rules->drivers[driver],
		    .options = (uint16_t)(rule->driver + 1),
		    .options_end = rule->end,
		};
	}
}

/* Could the rule be for something at the address of `f`? *sure: it is for anything there. */
static bool could_match(const struct pci_match_rules *rules, const struct pci_match_rule *rule,
			const struct pci_function *f, bool *sure)
{
	uint16_t driver = rules->items[rule->driver].index;
	unsigned i;

	*sure = rule->first != rule->driver;
	if (!*sure)
		return driver != PCI_MATCH_NO_DRIVER &&
		       pci_record_accepts_something(&rules->drivers[driver]);
	for (i = rule->first; i < rule->driver; i++) {
		const struct pci_match_item *item = &rules->items[i];
		const char *value = rules->text + item->at;
		bool could;

		if (item->key == PCI_KEY_SLOT) {
			could = pci_key_selects(PCI_KEY_SLOT, value, item->length, f);
		} else {
			*sure = false;
			could =
			    item->key == PCI_KEY_DEVICE
				? pci_record_accepts_something(&rules->drivers[item->index])
				: pci_key_possible_any(pci_key_get((enum pci_key_number)item->key),
						       value, item->length);
		}
		if (!could)
			return false;
	}
	return true;
}

bool pci_match_possible(const struct pci_match_rules *rules, struct pci_address address)
{
	struct pci_function f = {.address = address};
	unsigned i;
	bool sure;

	for (i = 0; i < rules->rule_count; i++) {
		const struct pci_match_rule *rule = &rules->rules[i];

		if (!could_match(rules, rule, &f, &sure))
			continue;
		if (rules->items[rule->driver].index != PCI_MATCH_NO_DRIVER)
			return true;
		if (sure)
			return false;
	}
	return false;
}

int pci_match_first(const struct pci_match_rules *const *rules,
		    struct pci_match_state *const *states, size_t count,
		    const struct pci_function *function, struct pci_match_result *result)
{
	int found = -ENOENT;
	size_t i;

	*result = (struct pci_match_result){0};
	for (i = 0; i < count; i++) {
		struct pci_match_result one;

		pci_match(rules[i], states[i], function, &one);
		if (found < 0 && one.rule) {
			found = (int)i;
			*result = one;
		}
	}
	return found;
}

int pci_match_options(const struct pci_match_rules *rules, const struct pci_match_result *result,
		      char **values, size_t count, char *text, size_t size)
{
	size_t used = 0, n;
	unsigned i;

	for (n = 0; n < count; n++)
		values[n] = NULL;
	for (i = result->options; i < result->options_end; i++) {
		const struct pci_match_item *item = &rules->items[i];

		if (item->index >= count || used == size)
			return -ENOSPC;
		n = pattern_plain(rules->text + item->at, item->length, text + used, size - used);
		if (n >= size - used)
			return -ENOSPC;
		values[item->index] = text + used;
		used += n + 1;
	}
	return (int)used;
}
