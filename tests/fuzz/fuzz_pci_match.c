/* Fuzzer of drivers/pci/match.c: any string is read, and what it gives is what its text says. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pci/match.h"
#include "drivers/pci/options.h"
#include "drivers/pci/pattern.h"
#include "drivers/pci/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static const struct pci_driver drivers[] = {
    {.name = "ahci", .device = "class_code=010601"},
    {.name = "pro1000", .device = "class_code=020000, id=8086:*", .driver_options = "tty,net"},
    {.name = "conceal", .device = "id=:"},
};
#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static const struct pci_function functions[] = {
    {{0, 0, 0x19, 0}, 0x8086, 0x10f5, 0x17aa, 0x20ee, 0x020000, 3, 0},
    {{0, 0, 0x1f, 2}, 0x8086, 0x2929, 0x17aa, 0x20f8, 0x010601, 3, 0},
    {{1, 3, 0, 0}, 0x10ec, 0x8168, 0, 0, 0x020000, 12, 0x80},
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

struct sink {
	uint32_t errors, rule;
	size_t length;
	bool never; /* a warning that a rule or a pattern matches nothing */
};

static void record(void *arg, const struct pci_match_report *r)
{
	struct sink *s = arg;

	CHECK(memchr(r->text, 0, sizeof(r->text)) && r->text[0]);
	CHECK(r->rule >= 1 && r->rule >= s->rule);
	CHECK(r->column >= 1 && r->column <= s->length + 1);
	CHECK(r->warning == (r->code >= PCI_MATCH_W_UPPER));
	s->rule = r->rule;
	s->errors += !r->warning;
	s->never = s->never || r->warning;
}

static void check_options(const struct pci_match_rules *rules, const struct pci_match_result *r)
{
	static char text[PCI_MATCH_STRING_MAX + 1];
	char *values[2] = {text, text};
	const char *end;
	bool yes = false;
	int32_t number = 0;
	unsigned i;
	int used = pci_match_options(rules, r, values, 2, text, sizeof(text));

	CHECK(used >= 0 && (size_t)used <= sizeof(text));
	CHECK(used == 0 || text[used - 1] == 0);
	for (i = 0; i < 2; i++) {
		CHECK(!values[i] || (values[i] >= text && values[i] < text + used));
		CHECK(!values[i] || (r->driver && r->driver->driver_options));
		if (pci_option_int(values[i], &number, &end) == 0 && values[i])
			CHECK(end > values[i] && end <= values[i] + strlen(values[i]));
		pci_option_bool(values[i], &yes);
	}
	if (used > 0) {
		char *exact = malloc((size_t)used);

		CHECK(exact && pci_match_options(rules, r, values, 2, exact, (size_t)used) == used);
		CHECK(pci_match_options(rules, r, values, 2, exact, (size_t)used - 1) < 0);
		free(exact);
	}
}

static void check_string(const char *text, enum pci_match_dialect dialect)
{
	static struct pci_match_rules rules;
	static struct pci_match_state state, again;
	struct sink s = {.length = strlen(text)};
	size_t round, i;

	CHECK(pci_match_parse(&rules, dialect, text, drivers, DRIVERS, record, &s) == s.errors);
	CHECK(rules.item_count <= PCI_MATCH_ITEMS_MAX && rules.rule_count <= PCI_MATCH_RULES_MAX);
	memset(&state, 0, sizeof(state));
	memset(&again, 0, sizeof(again));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < FUNCTIONS; i++) {
			struct pci_match_result a, b;

			pci_match(&rules, &state, &functions[i], &a);
			pci_match(&rules, &again, &functions[i], &b);
			CHECK(a.rule == b.rule && a.driver == b.driver);
			CHECK(a.rule || !a.driver);
			CHECK(!a.driver || pci_match_possible(&rules, functions[i].address));
			if (a.driver)
				CHECK(a.driver >= drivers && a.driver < drivers + DRIVERS);
			if (a.rule)
				check_options(&rules, &a);
			else
				CHECK(a.options == a.options_end);
		}
	}

	/* One rule alone, put between others that are for nothing, gives the same. */
	if (dialect == PCI_MATCH_RULES && s.errors == 0 && rules.rule_count == 1 && !s.never &&
	    s.length < 1900 && !strstr(text, "and")) {
		static char longer[PCI_MATCH_STRING_MAX + 1];
		static struct pci_match_rules more;
		size_t length = s.length;

		while (length > 0 && strchr(" \t", text[length - 1]) &&
		       !(length > 1 && text[length - 2] == '\\'))
			length--;
		bool comma = length > 0 && text[length - 1] == ',' &&
			     !(length > 1 && text[length - 2] == '\\');

		if (strpbrk(text, "\"\\\t"))
			return;
		snprintf(longer, sizeof(longer), "slot=ff:00.0, driver=none, and, %.*s%s and,",
			 (int)length, text, comma ? "" : ",");
		CHECK(pci_match_parse(&more, dialect, longer, drivers, DRIVERS, NULL, NULL) == 0);
		memset(&state, 0, sizeof(state));
		memset(&again, 0, sizeof(again));
		for (i = 0; i < FUNCTIONS; i++) {
			struct pci_match_result a, b;

			pci_match(&rules, &state, &functions[i], &a);
			pci_match(&more, &again, &functions[i], &b);
			CHECK(a.driver == b.driver && b.rule == (a.rule ? 2 : 0));
		}
	}
}

/* The same text as a driver's own match string and list of options. */
static void check_record(const char *text)
{
	const struct pci_driver driver = {.name = "x", .device = text, .driver_options = text};
	struct sink s = {.length = strlen(text)};
	size_t i;

	CHECK(pci_match_check_drivers(&driver, 1, NULL, NULL) <= s.length + 2);
	for (i = 0; i < FUNCTIONS; i++)
		pci_record_accepts(&driver, &functions[i]);
	CHECK(pci_record_option_count(text) <= s.length + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text);
	memcpy(text, data, size);
	text[size] = 0;
	check_string(text, PCI_MATCH_RULES);
	check_string(text, PCI_MATCH_CONCEAL);
	if (size < 200) /* options are compared with each other */
		check_record(text);
	free(text);
	return 0;
}
