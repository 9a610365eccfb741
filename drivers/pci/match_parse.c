/* vmm.driver.pci: the parser of its rules, and what it tells the user. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/errno.h"
#include "core/string.h"
#include "drivers/pci/key.h"
#include "drivers/pci/match.h"
#include "drivers/pci/pattern.h"
#include "drivers/pci/record.h"
#include "drivers/pci/text.h"

#define QUOTED_MAX 40 /* characters of the string that a message repeats */

/* A piece of the user's text in quotes, printable and not too long. */
static void put_quoted(struct text *t, const char *s, size_t length)
{
	size_t i;

	put_char(t, '"');
	for (i = 0; i < length && i < QUOTED_MAX; i++)
		put_char(t, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i]);
	put(t, i < length ? "...\"" : "\"");
}

struct parser {
	struct pci_match_rules *rules; /* NULL: a driver's .device is checked, nothing is kept */
	enum pci_match_dialect dialect;
	const char *text;
	size_t length;
	const struct pci_driver *drivers;
	size_t driver_count;
	uint32_t errors;
	pci_match_report_fn report;
	void *arg;
	/* of the rule that is being read */
	uint32_t rule;
	uint32_t errors_before;
	struct pci_match_rule entry;
	bool selection;                  /* there was an item before driver= */
	bool driver_seen;                /* rightly or wrongly */
	bool lost;                       /* an open quote has swallowed the rest */
	const struct pci_driver *driver; /* NULL: none, or not known */
};

static void report_begin(const struct parser *p, struct pci_match_report *r, struct text *t,
			 enum pci_match_code code, size_t at)
{
	*r = (struct pci_match_report){
	    .code = code,
	    .warning = code >= PCI_MATCH_W_UPPER,
	    .rule = p->rule,
	    .column = (uint32_t)(at + 1),
	};
	*t = (struct text){r->text, sizeof(r->text)};
}

static void report_end(struct parser *p, const struct pci_match_report *r)
{
	if (!r->warning)
		p->errors++;
	if (p->report)
		p->report(p->arg, r);
}

static void report(struct parser *p, enum pci_match_code code, size_t at, const char *message)
{
	struct pci_match_report r;
	struct text t;

	report_begin(p, &r, &t, code, at);
	put(&t, message);
	report_end(p, &r);
}

/* Joins names: "a, b or c". */
static void put_name(struct text *t, bool first, bool last, const char *name, size_t length)
{
	if (!first)
		put(t, last ? " or " : ", ");
	while (length-- > 0)
		put_char(t, *name++);
}

static void put_keys(const struct parser *p, struct text *t)
{
	size_t i, count = PCI_KEY_COUNT;

	if (!p->rules)
		count -= 2; /* device and number */
	for (i = 0; i < count; i++) {
		const char *name = pci_keys[i].name;

		if (pci_keys[i].key == PCI_KEY_NUMBER && !p->selection)
			continue;
		put_name(t, i == 0, !p->rules && i + 1 == count, name, strlen(name));
	}
	if (p->rules)
		put(t, p->dialect == PCI_MATCH_CONCEAL ? " or action" : " or driver");
}

static void put_drivers(const struct parser *p, struct text *t, bool none)
{
	bool first = true;
	size_t i;

	for (i = 0; i < p->driver_count; i++) {
		const char *name = p->drivers[i].name;

		if (!name)
			continue;
		put_name(t, first, !none && i + 1 == p->driver_count, name, strlen(name));
		first = false;
	}
	if (none)
		put_name(t, first, true, "none", 4);
	else if (first)
		put(t, "nothing, for there is no driver");
}

static void put_options(const struct parser *p, struct text *t)
{
	const char *names = p->driver ? p->driver->driver_options : NULL, *name;
	size_t i, length;

	for (i = 0; pci_record_option(names, i, &name, &length); i++)
		put_name(t, i == 0, false, name, length);
	put(t, i ? " or and" : "and");
}

/* What could stand where an item begins. */
static void put_valid_item(const struct parser *p, struct text *t)
{
	put(t, "; valid here: ");
	if (p->driver_seen)
		put_options(p, t);
	else
		put_keys(p, t);
}

static const char *item_text(const struct parser *p, const struct pattern_item *item)
{
	return p->text + item->name;
}

/* Names are what they are: neither quotes nor backslashes are taken out. */
static bool is_word(const struct parser *p, const struct pattern_item *item, const char *word)
{
	return item->name_length == strlen(word) &&
	       memcmp(item_text(p, item), word, item->name_length) == 0;
}

/* The item that ends a rule's selection. */
static const char *ending(const struct parser *p)
{
	return p->dialect == PCI_MATCH_CONCEAL ? "action" : "driver";
}

/* What is written is wrong as a name; says which ones are right. */
static void report_item(struct parser *p, enum pci_match_code code, const struct pattern_item *item,
			const char *before, const char *behind)
{
	struct pci_match_report r;
	struct text t;

	report_begin(p, &r, &t, code, item->name);
	put(&t, before);
	if (item->name_length > 0)
		put_quoted(&t, item_text(p, item), item->name_length);
	put(&t, behind);
	put_valid_item(p, &t);
	report_end(p, &r);
}

static void report_driver(struct parser *p, const struct pattern_item *item, bool none)
{
	struct pci_match_report r;
	struct text t;

	report_begin(p, &r, &t, PCI_MATCH_E_DRIVER, item->value);
	put(&t, "no such driver: ");
	put_quoted(&t, p->text + item->value, item->value_length);
	put(&t, "; valid here: ");
	put_drivers(p, &t, none);
	report_end(p, &r);
}

/* Every alternative that can match nothing is worth a word: it was meant to match something. */
static void warn_pattern(struct parser *p, const struct pci_key *key,
			 const struct pattern_item *item)
{
	const char *value = p->text + item->value;
	size_t next = 0, first, count;

	while (pattern_alternative(value, item->value_length, &next, &first, &count)) {
		bool upper = pattern_has(value + first, count, 'A', 'F');
		struct pci_match_report r;
		struct text t;

		if (pci_key_possible(key, value + first, count))
			continue;
		upper = upper && key->key != PCI_KEY_NUMBER;
		report_begin(p, &r, &t, upper ? PCI_MATCH_W_UPPER : PCI_MATCH_W_NEVER,
			     item->value + first);
		put_quoted(&t, value + first, count);
		put(&t, upper ? " matches nothing: write a-f in small letters, for "
			      : " matches nothing: ");
		put(&t, key->name);
		put(&t, " is compared as ");
		put(&t, key->format);
		report_end(p, &r);
	}
}

static int find_driver(const struct parser *p, const struct pattern_item *item)
{
	size_t i;

	for (i = 0; i < p->driver_count; i++) {
		const char *name = p->drivers[i].name;

		if (name && pattern_is(p->text + item->value, item->value_length, name))
			return (int)i;
	}
	return -ENOENT;
}

static void keep(struct parser *p, unsigned key, const struct pattern_item *item, int index)
{
	struct pci_match_rules *rules = p->rules;

	if (rules->item_count == PCI_MATCH_ITEMS_MAX) /* cannot be: see match.h */
		return;
	rules->items[rules->item_count++] = (struct pci_match_item){
	    .key = (uint8_t)key,
	    .at = (uint16_t)item->value,
	    .length = (uint16_t)item->value_length,
	    .index = (uint16_t)index,
	};
}

/* False when the item is not well-formed, which has then been reported. */
static bool well_formed(struct parser *p, const struct pattern_item *item)
{
	switch (item->fault) {
	case PATTERN_OK:
		break;
	case PATTERN_OPEN_QUOTE:
		p->lost = true;
		report(p, PCI_MATCH_E_QUOTE, item->fault_at,
		       "this quote is not closed; valid: a second one before the end");
		return false;
	case PATTERN_BACKSLASH:
		report(p, PCI_MATCH_E_BACKSLASH, item->fault_at,
		       "nothing behind the backslash; valid: any character, or no backslash");
		return false;
	case PATTERN_TWO_EQUALS:
		report(p, PCI_MATCH_E_TWO_EQUALS, item->fault_at,
		       "a second '='; valid: a comma before the next item, or quotes around the "
		       "value");
		return false;
	}
	if (!item->equals && item->name_length == 0) {
		report_item(p, PCI_MATCH_E_EMPTY, item, "an item is missing", "");
		return false;
	}
	if (!item->equals) {
		report_item(p, PCI_MATCH_E_NO_EQUALS, item, "'=' is missing behind ", "");
		return false;
	}
	if (item->name_length == 0) {
		report_item(p, PCI_MATCH_E_NAME, item, "a name is missing before '='", "");
		return false;
	}
	return true;
}

/* `key` NULL: an option. */
static bool has_value(struct parser *p, const struct pattern_item *item, const struct pci_key *key)
{
	struct pci_match_report r;
	struct text t;

	if (item->value_length > 0)
		return true;
	report_begin(p, &r, &t, PCI_MATCH_E_VALUE, item->value);
	put(&t, "a value is missing behind ");
	put_quoted(&t, item_text(p, item), item->name_length);
	put(&t, key ? "; valid here: a pattern for " : "; valid here: any text, or \"\" for none");
	put(&t, key ? key->format : "");
	report_end(p, &r);
	return false;
}

static void read_option(struct parser *p, const struct pattern_item *item)
{
	int index;

	if (!p->driver) {
		/* Options of an unknown driver are unknown too: one report is enough. */
		if (p->entry.driver != PCI_MATCH_NO_DRIVER)
			report_item(p, PCI_MATCH_E_NONE_OPTION, item, "", " behind driver=none");
		return;
	}
	index = pci_record_find_option(p->driver->driver_options, item_text(p, item),
				       item->name_length);
	if (index < 0) {
		bool key = pci_key_find(item_text(p, item), item->name_length) ||
			   is_word(p, item, "driver");

		report_item(p, PCI_MATCH_E_OPTION, item, "not an option of this driver: ",
			    key ? ", which belongs before driver= or behind \"and\"" : "");
		return;
	}
	if (has_value(p, item, NULL))
		keep(p, 0, item, index);
}

static void read_driver(struct parser *p, const struct pattern_item *item)
{
	int index;

	p->driver_seen = true;
	p->entry.driver = PCI_MATCH_NO_DRIVER;
	if (item->value_length > 0 &&
	    pattern_is(p->text + item->value, item->value_length, "none")) {
		p->entry.driver = p->rules->item_count;
		keep(p, 0, item, PCI_MATCH_NO_DRIVER);
		return;
	}
	index = find_driver(p, item);
	if (item->value_length == 0 || index < 0) {
		report_driver(p, item, true);
		return;
	}
	p->driver = &p->drivers[index];
	p->entry.driver = p->rules->item_count;
	keep(p, 0, item, index);
}

static void read_action(struct parser *p, const struct pattern_item *item)
{
	const char *value = p->text + item->value;
	int index = PCI_MATCH_NO_DRIVER;

	p->driver_seen = true;
	if (pattern_is(value, item->value_length, "deny")) {
		size_t i;

		for (i = 0, index = -ENOENT; i < p->driver_count && index < 0; i++) {
			if (p->drivers[i].name && strcmp(p->drivers[i].name, "conceal") == 0)
				index = (int)i;
		}
		if (index < 0) {
			report(p, PCI_MATCH_E_DRIVER, item->value,
			       "the driver conceal, which deny needs, is not there; valid here: "
			       "allow");
			return;
		}
		p->driver = &p->drivers[index];
	} else if (!pattern_is(value, item->value_length, "allow")) {
		report(p, PCI_MATCH_E_ACTION, item->value,
		       "no such action; valid here: deny or allow");
		return;
	}
	p->entry.driver = p->rules->item_count;
	keep(p, 0, item, index);
}

static void read_selection(struct parser *p, const struct pattern_item *item)
{
	const struct pci_key *key = pci_key_find(item_text(p, item), item->name_length);
	bool first = !p->selection;
	int index = 0;

	if (!key) {
		report_item(p, PCI_MATCH_E_KEY, item, "no such key: ", "");
	} else if (key->key == PCI_KEY_NUMBER && first) {
		report_item(p, PCI_MATCH_E_NUMBER_FIRST, item, "",
			    " cannot be first: it counts what the items to its left select");
	} else if (key->key == PCI_KEY_DEVICE) {
		index = find_driver(p, item);
		if (item->value_length == 0 || index < 0)
			report_driver(p, item, false);
		else if (!pci_record_accepts_something(&p->drivers[index]))
			report(p, PCI_MATCH_W_NEVER, item->value,
			       "this driver accepts no function by itself, so device= matches "
			       "nothing; valid here: other keys, like class=02*");
	} else if (has_value(p, item, key)) {
		warn_pattern(p, key, item);
		if (key->key == PCI_KEY_NUMBER && p->rules->counter_count < PCI_MATCH_COUNTERS_MAX)
			index = p->rules->counter_count++;
	}
	if (key)
		keep(p, key->key, item, index);
	p->selection = true;
}

/* A rule is complete. What is wrong with it was reported at `at` or before. */
static void end_rule(struct parser *p, size_t at)
{
	struct pci_match_rules *rules = p->rules;

	if (!p->driver_seen && !p->lost)
		report(p, PCI_MATCH_E_NO_DRIVER, at,
		       p->dialect == PCI_MATCH_CONCEAL
			   ? "the rule has no action; valid here: action=deny or action=allow"
			   : "the rule has no driver; valid here: driver=name or driver=none");
	if (p->errors != p->errors_before) {
		rules->item_count = p->entry.first;
		return;
	}
	if (!p->selection && (!p->driver || !pci_record_accepts_something(p->driver)))
		report(p, PCI_MATCH_W_NOTHING, rules->items[p->entry.driver].at,
		       "this rule is for no function: it has no selection, and the driver accepts "
		       "none by itself; valid here: a selection before it, like class=02*");
	if (rules->rule_count == PCI_MATCH_RULES_MAX) /* cannot be: see match.h */
		return;
	p->entry.end = rules->item_count;
	rules->rules[rules->rule_count++] = p->entry;
}

static void begin_rule(struct parser *p)
{
	p->rule++;
	p->errors_before = p->errors;
	p->entry = (struct pci_match_rule){
	    .number = (uint16_t)p->rule,
	    .first = p->rules->item_count,
	    .driver = PCI_MATCH_NO_DRIVER,
	};
	p->selection = false;
	p->driver_seen = false;
	p->driver = NULL;
}

/* `and`: true when it ends the rule. `comma`: there is one behind it. */
static bool read_and(struct parser *p, const struct pattern_item *item, bool comma)
{
	if (p->dialect == PCI_MATCH_CONCEAL || item->fault || item->equals ||
	    !is_word(p, item, "and"))
		return false;
	if (!comma && p->driver_seen)
		report(p, PCI_MATCH_E_AND, item->end,
		       "no comma behind \"and\"; valid here: a comma, and then another rule or "
		       "nothing");
	return comma || p->driver_seen;
}

/* Reads one rule from `at`; returns where the next one begins, or a place behind the text. */
static size_t read_rule(struct parser *p, size_t at)
{
	struct pattern_item item;

	begin_rule(p);
	for (;;) {
		bool comma;

		pattern_item(p->text, p->length, at, &item);
		comma = item.end < p->length;
		at = item.end + 1;
		if (read_and(p, &item, comma)) {
			end_rule(p, item.name);
			return at;
		}
		if (well_formed(p, &item)) {
			if (p->driver_seen)
				read_option(p, &item);
			else if (!is_word(p, &item, ending(p)))
				read_selection(p, &item);
			else if (p->dialect == PCI_MATCH_CONCEAL)
				read_action(p, &item);
			else
				read_driver(p, &item);
		} else if (!p->driver_seen) {
			/* Its options and the next rules are still worth reading. */
			p->driver_seen = item.equals && is_word(p, &item, ending(p));
			p->selection = true;
		}
		if (!comma || pattern_blank(p->text, p->length, at)) {
			end_rule(p, p->length);
			return p->length + 1;
		}
		if (p->driver_seen && p->dialect == PCI_MATCH_CONCEAL) {
			end_rule(p, item.end);
			return at;
		}
	}
}

uint32_t pci_match_parse(struct pci_match_rules *rules, enum pci_match_dialect dialect,
			 const char *text, const struct pci_driver *drivers, size_t driver_count,
			 pci_match_report_fn report_fn, void *arg)
{
	size_t max = dialect == PCI_MATCH_CONCEAL ? PCI_MATCH_CONCEAL_MAX : PCI_MATCH_STRING_MAX;
	struct parser p = {
	    .rules = rules,
	    .dialect = dialect,
	    .text = text,
	    .length = strlen(text),
	    .drivers = drivers,
	    .driver_count = driver_count,
	    .report = report_fn,
	    .arg = arg,
	};
	size_t at = 0;

	memset(rules, 0, sizeof(*rules));
	rules->text = text;
	rules->drivers = drivers;
	rules->driver_count = driver_count;
	if (p.length > max) {
		p.rule = 1;
		report(&p, PCI_MATCH_E_LONG, max,
		       dialect == PCI_MATCH_CONCEAL
			   ? "the string is too long; valid: at most 1024 characters"
			   : "the string is too long; valid: at most 2048 characters");
		return p.errors;
	}
	if (pattern_blank(text, p.length, 0))
		return 0;
	while (at <= p.length) {
		size_t comma = at;

		/* Behind "and," may be the end, or one more comma and the end. */
		if (p.rule > 0) {
			while (comma < p.length && (text[comma] == ' ' || text[comma] == '\t'))
				comma++;
			if (comma == p.length ||
			    (text[comma] == ',' && pattern_blank(text, p.length, comma + 1)))
				break;
		}
		at = read_rule(&p, at);
	}
	return p.errors;
}

/* One record: what is wrong with it but for its .device, or NULL. */
static const char *record_fault(const struct pci_driver *drivers, size_t n)
{
	const struct pci_driver *d = &drivers[n];
	const char *name, *c;
	size_t i, length;

	if (d->name) {
		if (strcmp(d->name, "none") == 0)
			return "a driver cannot be named none";
		for (c = d->name; (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
		     c++)
			;
		if (c == d->name || *c)
			return "a driver's name consists of a-z, 0-9 and _";
		for (i = 0; i < n; i++) {
			if (drivers[i].name && strcmp(drivers[i].name, d->name) == 0)
				return "two drivers have this name";
		}
	}
	for (i = 0; pci_record_option(d->driver_options, i, &name, &length); i++) {
		if (length == 0 || (length == 3 && memcmp(name, "and", 3) == 0) ||
		    (length == 6 && memcmp(name, "driver", 6) == 0))
			return "an option needs a name, other than \"and\" and \"driver\"";
		if (pci_record_find_option(d->driver_options, name, length) != (int)i)
			return "two options have the same name";
	}
	return NULL;
}

uint32_t pci_match_check_drivers(const struct pci_driver *drivers, size_t count,
				 pci_match_report_fn report_fn, void *arg)
{
	struct parser p = {.report = report_fn, .arg = arg};
	size_t i;

	for (i = 0; i < count; i++) {
		const char *fault = record_fault(drivers, i);
		struct pattern_item item;
		size_t at = 0;

		p.rule = (uint32_t)i + 1;
		if (fault)
			report(&p, PCI_MATCH_E_RECORD, 0, fault);
		p.text = drivers[i].device;
		p.length = p.text ? strlen(p.text) : 0;
		while (p.length > 0 && pci_record_item(p.text, p.length, &at, &item)) {
			const struct pci_key *key;

			if (!well_formed(&p, &item))
				continue;
			key = pci_key_find(item_text(&p, &item), item.name_length);
			if (!key || !key->form || key->key == PCI_KEY_NUMBER)
				report_item(&p, PCI_MATCH_E_KEY, &item, "no such key: ", "");
			else if (has_value(&p, &item, key) &&
				 pattern_has(p.text + item.value, item.value_length, 'A', 'F'))
				warn_pattern(&p, key, &item);
		}
	}
	return p.errors;
}
