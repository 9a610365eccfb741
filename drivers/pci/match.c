/* vmm.driver.pci: the rules that say which PCI function is given to which driver. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/match.h"
#include "core/errno.h"
#include "core/string.h"
#include "drivers/pci/pattern.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NO_DRIVER     UINT16_MAX /* index of driver=none */
#define QUOTED_MAX    40         /* characters of the string that a message repeats */
#define SUBJECT_MAX   16 /* characters of the longest text that a pattern is matched against */

enum item_kind { ITEM_SELECT, ITEM_DRIVER, ITEM_OPTION };

enum key {
	KEY_SLOT,
	KEY_CLASS,
	KEY_ID,
	KEY_SUBSYSTEM,
	KEY_REVISION,
	KEY_INTERFACE,
	KEY_CLASS_CODE,
	KEY_HEADER_TYPE,
	KEY_DEVICE,
	KEY_NUMBER,
};

/*
 * `form` is what the key's text looks like, a class of characters each: h 0-9 a-f, t 0-1 (device
 * numbers end at 1f), o 0-7, d 0-9, n 1-9, else itself.
 */
struct key_name {
	const char *name;
	enum key key;
	const char *format, *form;
};

static const struct key_name key_names[] = {
    {"slot", KEY_SLOT, "%02x:%02x.%u", "hh:th.o"},
    {"class", KEY_CLASS, "%04x", "hhhh"},
    {"id", KEY_ID, "%04x:%04x", "hhhh:hhhh"},
    {"subsystem", KEY_SUBSYSTEM, "%04x:%04x", "hhhh:hhhh"},
    {"revision", KEY_REVISION, "%02x", "hh"},
    {"rev", KEY_REVISION, "%02x", "hh"},
    {"programming_interface", KEY_INTERFACE, "%02x", "hh"},
    {"if", KEY_INTERFACE, "%02x", "hh"},
    {"class_code", KEY_CLASS_CODE, "%06x", "hhhhhh"},
    {"header_type", KEY_HEADER_TYPE, "%02x", "hh"},
    {"device", KEY_DEVICE, "a driver's name", NULL},
    {"number", KEY_NUMBER, "%d", "d"},
};
static const char segment_form[] = "hhhh:hh:th.o"; /* slot outside segment 0 */
static const char number_form[] = "nddddddddd";    /* all of it, or a d alone */

/* Text of bounded length, always terminated. */
struct text {
	char *at;
	size_t left; /* with the NUL */
};

static void put_char(struct text *t, char c)
{
	if (t->left > 1) {
		*t->at++ = c;
		*t->at = 0;
		t->left--;
	}
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_hex(struct text *t, uint32_t value, unsigned digits)
{
	while (digits-- > 0)
		put_char(t, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static void put_decimal(struct text *t, uint32_t value)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (n > 0)
		put_char(t, digits[--n]);
}

/* A piece of the user's text in quotes, printable and not too long. */
static void put_quoted(struct text *t, const char *s, size_t length)
{
	size_t i;

	put_char(t, '"');
	for (i = 0; i < length && i < QUOTED_MAX; i++)
		put_char(t, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i]);
	put(t, i < length ? "...\"" : "\"");
}

static const struct key_name *find_key(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(key_names); i++) {
		if (strlen(key_names[i].name) == length &&
		    memcmp(key_names[i].name, name, length) == 0)
			return &key_names[i];
	}
	return NULL;
}

static const struct key_name *name_of(enum key key)
{
	size_t i = 0;

	while (key_names[i].key != key)
		i++;
	return &key_names[i];
}

/* The text of a key for a function; device and number have none. */
static size_t subject(enum key key, const struct pci_function *f, char *buffer)
{
	struct text t = {buffer, SUBJECT_MAX + 1};

	*buffer = 0;
	switch (key) {
	case KEY_SLOT:
		if (f->address.segment) {
			put_hex(&t, f->address.segment, 4);
			put_char(&t, ':');
		}
		put_hex(&t, f->address.bus, 2);
		put_char(&t, ':');
		put_hex(&t, f->address.device, 2);
		put_char(&t, '.');
		put_decimal(&t, f->address.function);
		break;
	case KEY_CLASS:
		put_hex(&t, f->class_code >> 8, 4);
		break;
	case KEY_ID:
		put_hex(&t, f->vendor, 4);
		put_char(&t, ':');
		put_hex(&t, f->device, 4);
		break;
	case KEY_SUBSYSTEM:
		put_hex(&t, f->sub_vendor, 4);
		put_char(&t, ':');
		put_hex(&t, f->sub_device, 4);
		break;
	case KEY_REVISION:
		put_hex(&t, f->revision, 2);
		break;
	case KEY_INTERFACE:
		put_hex(&t, f->class_code, 2);
		break;
	case KEY_CLASS_CODE:
		put_hex(&t, f->class_code, 6);
		break;
	case KEY_HEADER_TYPE:
		put_hex(&t, f->header_type, 2);
		break;
	case KEY_DEVICE:
	case KEY_NUMBER:
		break;
	}
	return (size_t)(t.at - buffer);
}

static bool selects(enum key key, const char *value, size_t length, const struct pci_function *f)
{
	char buffer[SUBJECT_MAX + 1];
	size_t n = subject(key, f, buffer);

	return pattern_match_any(value, length, buffer, n);
}

/* One item of a driver's .device; `at` moves behind it. False behind the last. */
static bool device_item(const char *text, size_t length, size_t *at, struct pattern_item *item)
{
	if (*at > length)
		return false;
	pattern_item(text, length, *at, item);
	*at = item->end + 1;
	return true;
}

bool pci_match_accepts(const struct pci_driver *driver, const struct pci_function *function)
{
	const char *text = driver->device;
	size_t length = text ? strlen(text) : 0, at = 0;
	struct pattern_item item;

	if (length == 0)
		return false;
	while (device_item(text, length, &at, &item)) {
		const struct key_name *key = find_key(text + item.name, item.name_length);

		if (!key || !key->form || key->key == KEY_NUMBER || item.fault)
			return false; /* pci_match_check_drivers() has said so */
		if (!selects(key->key, text + item.value, item.value_length, function))
			return false;
	}
	return true;
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
static bool possible(const struct key_name *key, const char *pattern, size_t length)
{
	size_t digits;

	if (pattern_match(pattern, length, key->form, strlen(key->form), same_class))
		return true;
	if (key->key == KEY_SLOT)
		return pattern_match(pattern, length, segment_form, strlen(segment_form),
				     same_class);
	if (key->key != KEY_NUMBER)
		return false;
	for (digits = 2; digits <= strlen(number_form); digits++) {
		if (pattern_match(pattern, length, number_form, digits, same_class))
			return true;
	}
	return false;
}

static bool possible_any(const struct key_name *key, const char *value, size_t length)
{
	size_t next = 0, first, count;

	while (pattern_alternative(value, length, &next, &first, &count)) {
		if (possible(key, value + first, count))
			return true;
	}
	return false;
}

/* Can the driver's own .device accept any function at all? */
static bool accepts_something(const struct pci_driver *driver)
{
	const char *text = driver->device;
	size_t length = text ? strlen(text) : 0, at = 0;
	struct pattern_item item;

	if (length == 0)
		return false;
	while (device_item(text, length, &at, &item)) {
		const struct key_name *key = find_key(text + item.name, item.name_length);

		if (!key || !key->form || !possible_any(key, text + item.value, item.value_length))
			return false;
	}
	return true;
}

/* Name `number` of a list like .driver_options, without blanks around; false behind the last. */
static bool option_name(const char *names, size_t number, const char **name, size_t *length)
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

size_t pci_match_option_count(const char *names)
{
	const char *name;
	size_t count = 0, length;

	while (option_name(names, count, &name, &length))
		count++;
	return count;
}

static int find_option(const char *names, const char *text, size_t text_length)
{
	const char *name;
	size_t length;
	int i;

	for (i = 0; option_name(names, (size_t)i, &name, &length); i++) {
		if (length == text_length && memcmp(name, text, length) == 0)
			return i;
	}
	return -ENOENT;
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
	size_t i, count = ARRAY_SIZE(key_names);

	if (!p->rules)
		count -= 2; /* device and number */
	for (i = 0; i < count; i++) {
		const char *name = key_names[i].name;

		if (key_names[i].key == KEY_NUMBER && !p->selection)
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

	for (i = 0; option_name(names, i, &name, &length); i++)
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
static void warn_pattern(struct parser *p, const struct key_name *key,
			 const struct pattern_item *item)
{
	const char *value = p->text + item->value;
	size_t next = 0, first, count;

	while (pattern_alternative(value, item->value_length, &next, &first, &count)) {
		bool upper = pattern_has(value + first, count, 'A', 'F');
		struct pci_match_report r;
		struct text t;

		if (possible(key, value + first, count))
			continue;
		upper = upper && key->key != KEY_NUMBER;
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

static void keep(struct parser *p, enum item_kind kind, unsigned key,
		 const struct pattern_item *item, int index)
{
	struct pci_match_rules *rules = p->rules;

	if (!rules || rules->item_count == PCI_MATCH_ITEMS_MAX) /* cannot be: see match.h */
		return;
	rules->items[rules->item_count++] = (struct pci_match_item){
	    .kind = (uint8_t)kind,
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
static bool has_value(struct parser *p, const struct pattern_item *item, const struct key_name *key)
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
		if (p->entry.driver != NO_DRIVER)
			report_item(p, PCI_MATCH_E_NONE_OPTION, item, "", " behind driver=none");
		return;
	}
	index = find_option(p->driver->driver_options, item_text(p, item), item->name_length);
	if (index < 0) {
		bool key =
		    find_key(item_text(p, item), item->name_length) || is_word(p, item, "driver");

		report_item(p, PCI_MATCH_E_OPTION, item, "not an option of this driver: ",
			    key ? ", which belongs before driver= or behind \"and\"" : "");
		return;
	}
	if (has_value(p, item, NULL))
		keep(p, ITEM_OPTION, 0, item, index);
}

static void read_driver(struct parser *p, const struct pattern_item *item)
{
	int index;

	p->driver_seen = true;
	p->entry.driver = NO_DRIVER;
	if (item->value_length > 0 &&
	    pattern_is(p->text + item->value, item->value_length, "none")) {
		p->entry.driver = p->rules->item_count;
		keep(p, ITEM_DRIVER, 0, item, NO_DRIVER);
		return;
	}
	index = find_driver(p, item);
	if (item->value_length == 0 || index < 0) {
		report_driver(p, item, true);
		return;
	}
	p->driver = &p->drivers[index];
	p->entry.driver = p->rules->item_count;
	keep(p, ITEM_DRIVER, 0, item, index);
}

static void read_action(struct parser *p, const struct pattern_item *item)
{
	const char *value = p->text + item->value;
	int index = NO_DRIVER;

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
	keep(p, ITEM_DRIVER, 0, item, index);
}

static void read_selection(struct parser *p, const struct pattern_item *item)
{
	const struct key_name *key = find_key(item_text(p, item), item->name_length);
	bool first = !p->selection;
	int index = 0;

	if (key && !p->rules && (key->key == KEY_DEVICE || key->key == KEY_NUMBER))
		key = NULL;
	if (!key) {
		report_item(p, PCI_MATCH_E_KEY, item, "no such key: ", "");
	} else if (key->key == KEY_NUMBER && first) {
		report_item(p, PCI_MATCH_E_NUMBER_FIRST, item, "",
			    " cannot be first: it counts what the items to its left select");
	} else if (key->key == KEY_DEVICE) {
		index = find_driver(p, item);
		if (item->value_length == 0 || index < 0)
			report_driver(p, item, false);
		else if (!accepts_something(&p->drivers[index]))
			report(p, PCI_MATCH_W_NEVER, item->value,
			       "this driver accepts no function by itself, so device= matches "
			       "nothing; valid here: other keys, like class=02*");
	} else if (has_value(p, item, key)) {
		warn_pattern(p, key, item);
		if (key->key == KEY_NUMBER && p->rules->counter_count < PCI_MATCH_COUNTERS_MAX)
			index = p->rules->counter_count++;
	}
	if (key)
		keep(p, ITEM_SELECT, key->key, item, index);
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
	if (!p->selection && (!p->driver || !accepts_something(p->driver)))
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
	    .driver = NO_DRIVER,
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

static bool matches(const struct pci_match_rules *rules, const struct pci_match_rule *rule,
		    struct pci_match_state *state, const struct pci_function *f)
{
	const struct pci_match_item *driver = &rules->items[rule->driver];
	unsigned i;

	if (rule->first == rule->driver)
		return driver->index != NO_DRIVER &&
		       pci_match_accepts(&rules->drivers[driver->index], f);
	for (i = rule->first; i < rule->driver; i++) {
		const struct pci_match_item *item = &rules->items[i];
		const char *value = rules->text + item->at;
		char buffer[SUBJECT_MAX + 1];
		struct text t = {buffer, sizeof(buffer)};

		if (item->key == KEY_DEVICE) {
			if (!pci_match_accepts(&rules->drivers[item->index], f))
				return false;
		} else if (item->key == KEY_NUMBER) {
			put_decimal(&t, state->count[item->index]++);
			if (!pattern_match_any(value, item->length, buffer,
					       (size_t)(t.at - buffer)))
				return false;
		} else if (!selects((enum key)item->key, value, item->length, f)) {
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
		    .driver = driver == NO_DRIVER ? NULL : &rules->drivers[driver],
		    .options = (uint16_t)(rule->driver + 1),
		    .options_end = rule->end,
		};
	}
}

/* Could the selection be true of something at `f`'s address? *sure: it is true of anything there.
 */
static bool could_match(const struct pci_match_rules *rules, const struct pci_match_rule *rule,
			const struct pci_function *f, bool *sure)
{
	uint16_t driver = rules->items[rule->driver].index;
	unsigned i;

	*sure = rule->first != rule->driver;
	if (!*sure)
		return driver != NO_DRIVER && accepts_something(&rules->drivers[driver]);
	for (i = rule->first; i < rule->driver; i++) {
		const struct pci_match_item *item = &rules->items[i];
		const char *value = rules->text + item->at;
		bool could;

		if (item->key == KEY_SLOT) {
			could = selects(KEY_SLOT, value, item->length, f);
		} else {
			*sure = false;
			could =
			    item->key == KEY_DEVICE
				? accepts_something(&rules->drivers[item->index])
				: possible_any(name_of((enum key)item->key), value, item->length);
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
		if (rules->items[rule->driver].index != NO_DRIVER)
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
	for (i = 0; option_name(d->driver_options, i, &name, &length); i++) {
		if (length == 0 || (length == 3 && memcmp(name, "and", 3) == 0) ||
		    (length == 6 && memcmp(name, "driver", 6) == 0))
			return "an option needs a name, other than \"and\" and \"driver\"";
		if (find_option(d->driver_options, name, length) != (int)i)
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
		while (p.length > 0 && device_item(p.text, p.length, &at, &item)) {
			const struct key_name *key;

			if (!well_formed(&p, &item))
				continue;
			key = find_key(item_text(&p, &item), item.name_length);
			if (!key || !key->form || key->key == KEY_NUMBER)
				report_item(&p, PCI_MATCH_E_KEY, &item, "no such key: ", "");
			else if (has_value(&p, &item, key) &&
				 pattern_has(p.text + item.value, item.value_length, 'A', 'F'))
				warn_pattern(&p, key, &item);
		}
	}
	return p.errors;
}
