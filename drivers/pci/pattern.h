/* Text of vmm.driver.pci: items between commas, quoting, and patterns with ? * and |. */
/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum pattern_fault {
	PATTERN_OK,
	PATTERN_OPEN_QUOTE,
	PATTERN_BACKSLASH,  /* the last character of the text */
	PATTERN_TWO_EQUALS, /* neither quoted nor behind a backslash */
};

/* name=value or name, as written: with quotes and backslashes, without blanks around. */
struct pattern_item {
	size_t name, name_length;
	size_t value, value_length;
	bool equals;
	size_t end; /* the comma behind it, or the end of the text */
	enum pattern_fault fault;
	size_t fault_at;
};

/* True when only blanks are left from `at`. */
bool pattern_blank(const char *text, size_t length, size_t at);

/* Reads the item that begins at `at` <= length. */
void pattern_item(const char *text, size_t length, size_t at, struct pattern_item *item);

/*
 * The alternatives of the value text[0..length-1], without blanks around: sets *first and *count to
 * one and *next to where to go on. False behind the last. *next is 0 at first.
 */
bool pattern_alternative(const char *text, size_t length, size_t *next, size_t *first,
			 size_t *count);

/* Compares a character of a pattern with one of what it is matched against. */
typedef bool (*pattern_same_fn)(char pattern, char text);

/* True when one alternative matches the whole of `text`. `same` NULL: equal characters match. */
bool pattern_match(const char *pattern, size_t pattern_length, const char *text, size_t length,
		   pattern_same_fn same);

/* True when any alternative of a value matches. */
bool pattern_match_any(const char *value, size_t value_length, const char *text, size_t length);

/* True when the alternative has a character from `low` to `high` that stands for itself. */
bool pattern_has(const char *pattern, size_t length, char low, char high);

/*
 * Copies a value without its quotes and backslashes, NUL-terminated, cut to `size` > 0. Returns the
 * whole length.
 */
size_t pattern_plain(const char *value, size_t length, char *out, size_t size);

/* True when the value, without quotes and backslashes, is the NUL-terminated name. */
bool pattern_is(const char *value, size_t length, const char *name);
