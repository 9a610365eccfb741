/* Text of vmm.driver.pci: items between commas, quoting, and patterns with ? * and |. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include "drivers/pci/pattern.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *text, size_t length, size_t at)
{
	while (at < length && is_blank(text[at]))
		at++;
	return at;
}

bool pattern_blank(const char *text, size_t length, size_t at)
{
	return skip_blanks(text, length, at) == length;
}

static void fault(struct pattern_item *item, enum pattern_fault what, size_t at)
{
	if (item->fault == PATTERN_OK) {
		item->fault = what;
		item->fault_at = at;
	}
}

void pattern_item(const char *text, size_t length, size_t at, struct pattern_item *item)
{
	size_t begin = skip_blanks(text, length, at), i = begin, quote_at = 0;
	size_t last = begin; /* end without spaces; quoted ones stay, for a quote stands behind */
	bool quote = false;

	*item = (struct pattern_item){.name = begin, .fault = PATTERN_OK};
	while (i < length) {
		char c = text[i];

		if (c == '\\') {
			if (i + 1 == length)
				fault(item, PATTERN_BACKSLASH, i);
			i = i + 1 < length ? i + 2 : length;
			last = i;
			continue;
		}
		if (c == '"') {
			quote = !quote;
			quote_at = i;
		} else if (!quote && c == ',') {
			break;
		} else if (!quote && c == '=' && !item->equals) {
			item->equals = true;
			item->name_length = last - begin;
			begin = skip_blanks(text, length, i + 1);
			item->value = last = i = begin;
			continue;
		} else if (!quote && c == '=') {
			fault(item, PATTERN_TWO_EQUALS, i);
		}
		i++;
		if (c != ' ')
			last = i;
	}
	if (quote)
		fault(item, PATTERN_OPEN_QUOTE, quote_at);
	if (item->equals)
		item->value_length = last - begin;
	else
		item->name_length = last - begin;
	item->end = i;
}

bool pattern_alternative(const char *text, size_t length, size_t *next, size_t *first,
			 size_t *count)
{
	size_t i = *next, last;
	bool quote = false;

	if (i > length)
		return false;
	*first = last = i = skip_blanks(text, length, i);
	while (i < length && (quote || text[i] != '|')) {
		char c = text[i];

		if (c == '\\' && i + 1 < length)
			i++;
		else if (c == '"')
			quote = !quote;
		i++;
		if (c != ' ')
			last = i;
	}
	*count = last - *first;
	*next = i + 1;
	return true;
}

enum { END = -1, ANY_ONE = -2, ANY_MANY = -3 };

/* The next character that an alternative stands for, or one of the three above. */
static int next_char(const char *pattern, size_t length, size_t *at)
{
	while (*at < length && pattern[*at] == '"')
		++*at;
	if (*at == length)
		return END;
	char c = pattern[(*at)++];

	if (c == '?')
		return ANY_ONE;
	if (c == '*')
		return ANY_MANY;
	if (c == '\\' && *at < length)
		c = pattern[(*at)++];
	return (unsigned char)c;
}

static bool same_char(char pattern, char text)
{
	return pattern == text;
}

bool pattern_match(const char *pattern, size_t pattern_length, const char *text, size_t length,
		   pattern_same_fn same)
{
	size_t p = 0, t = 0, star_p = 0, star_t = 0;
	bool star = false;

	if (!same)
		same = same_char;
	for (;;) {
		int c = next_char(pattern, pattern_length, &p);

		if (c == ANY_MANY) {
			star = true;
			star_p = p;
			star_t = t;
			continue;
		}
		if (c == END && t == length)
			return true;
		if (t < length && (c == ANY_ONE || (c >= 0 && same((char)c, text[t])))) {
			t++;
			continue;
		}
		/* Only the last * needs to take more: what stands before it has its match. */
		if (!star || star_t == length)
			return false;
		t = ++star_t;
		p = star_p;
	}
}

bool pattern_match_any(const char *value, size_t value_length, const char *text, size_t length)
{
	size_t next = 0, first, count;

	while (pattern_alternative(value, value_length, &next, &first, &count)) {
		if (pattern_match(value + first, count, text, length, NULL))
			return true;
	}
	return false;
}

bool pattern_has(const char *pattern, size_t length, char low, char high)
{
	size_t at = 0;
	int c;

	while ((c = next_char(pattern, length, &at)) != END) {
		if (c >= (unsigned char)low && c <= (unsigned char)high)
			return true;
	}
	return false;
}

/* The next character of a value that is no pattern, or END. */
static int next_plain(const char *value, size_t length, size_t *at)
{
	while (*at < length && value[*at] == '"')
		++*at;
	if (*at == length)
		return END;
	if (value[*at] == '\\' && *at + 1 < length)
		++*at;
	return (unsigned char)value[(*at)++];
}

size_t pattern_plain(const char *value, size_t length, char *out, size_t size)
{
	size_t at = 0, n = 0;
	int c;

	while ((c = next_plain(value, length, &at)) != END) {
		if (n + 1 < size)
			out[n] = (char)c;
		n++;
	}
	out[n < size ? n : size - 1] = 0;
	return n;
}

bool pattern_is(const char *value, size_t length, const char *name)
{
	size_t at = 0;

	for (;; name++) {
		int c = next_plain(value, length, &at);

		if (c == END)
			return *name == 0;
		if (c != (unsigned char)*name || *name == 0)
			return false;
	}
}
